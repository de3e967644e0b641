// CPU time and memory of a process and all its descendants, from Linux's /proc. The tree counts, not the process:
// nginx works in a child of its master, and m5 in children of its supervisor.
import { readFileSync } from "node:fs";
import { withDescendants } from "../shared/testkit/process-by-port.ts";

export type TreeUsage = {
  readonly cpuMs: number;
  /** Resident memory now, summed over the tree; pages shared between its processes count once for each. */
  readonly rssKiB: number;
  /** Each process's own high-water mark, summed: an upper bound, since the marks need not coincide. */
  readonly peakRssKiB: number;
  readonly processes: number;
};

/** /proc counts in ticks of USER_HZ, which is 100 on every Linux platform that Node runs on: 10 ms. */
const msPerTick = 10;

/**
 * User plus system time of one process, its waited-for dead children included, in milliseconds, from its /proc/PID/stat.
 * @see https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
 */
export function cpuMsIn(stat: string): number {
  // The name is in parentheses and may hold spaces and parentheses: count fields from the last one.
  const end = stat.lastIndexOf(")");
  const fields = stat.slice(end + 2).split(" ");
  // After the name: state(0) ppid(1) … utime(11) stime(12) cutime(13) cstime(14)
  const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
  if (end < 0 || !Number.isFinite(ticks))
    throw new Error(`Cannot read process status "${stat.slice(0, 80)}"`);
  return ticks * msPerTick;
}

/** The usage of `rootPid` and its descendants. @throws Error when the root is gone. */
export function readTree(rootPid: number): TreeUsage {
  let [cpuMs, rssKiB, peakRssKiB, processes] = [0, 0, 0, 0];
  for (const pid of withDescendants(rootPid)) {
    const stat = readOrEmpty(`/proc/${pid}/stat`);
    if (stat === "" && pid === rootPid) throw new Error(`Process ${rootPid} is gone`);
    if (stat === "") continue;
    const status = readOrEmpty(`/proc/${pid}/status`);
    cpuMs += cpuMsIn(stat);
    rssKiB += kibibytes(status, "VmRSS");
    peakRssKiB += kibibytes(status, "VmHWM");
    processes += 1;
  }
  return { cpuMs, rssKiB, peakRssKiB, processes };
}

/** Time that the hypervisor gave to others while this machine wanted to run, summed over its CPUs, in milliseconds. */
export function readStealMs(): number {
  const cpu = readOrEmpty("/proc/stat").split("\n", 1)[0]?.split(/\s+/) ?? [];
  return Number(cpu[8] ?? 0) * msPerTick;
}

// A process may end between the listing and the read: that is no error.
function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

function kibibytes(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0);
}
