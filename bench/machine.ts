// The machine and the versions that a result was taken with: a figure without them cannot be compared with anything.
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, release, totalmem, type } from "node:os";

export type Machine = {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly virtual: boolean;
  /** One-minute load average before the bench started anything: above 0.5, others were at work. */
  readonly loadBefore: number;
};

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `${type()} ${release()}`,
    node: process.version,
    virtual: cpuFlags().includes(" hypervisor"),
    loadBefore: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  };
}

function cpuFlags(): string {
  try {
    return /^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "latin1"))?.[1] ?? "";
  } catch {
    return "";
  }
}
