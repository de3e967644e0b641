// CPU time and memory of a process and all its descendants, from Linux's /proc. The tree counts, not the process:
// nginx works in a child of its master, and m5 in children of its supervisor.
import { readdirSync, readFileSync } from "node:fs";

/** What one process used up to now. */
export type ProcessUsage = {
  readonly pid: number;
  readonly parentPid: number;
  /** User plus system time, its waited-for dead children included, in milliseconds. */
  readonly cpuMs: number;
};

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
 * Parses one /proc/PID/stat line.
 * @see https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
 */
export function parseStat(text: string): ProcessUsage {
  // The name is in parentheses and may hold spaces and parentheses: count fields from the last one.
  const end = text.lastIndexOf(")");
  const fields = text.slice(end + 2).split(" ");
  // After the name: state(0) ppid(1) … utime(11) stime(12) cutime(13) cstime(14)
  const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
  const usage = { pid: Number.parseInt(text, 10), parentPid: Number(fields[1]), cpuMs: ticks * msPerTick };
  if (end < 0 || !Number.isFinite(usage.cpuMs))
    throw new Error(`Cannot read process status "${text.slice(0, 80)}"`);
  return usage;
}

/** The usage of `rootPid` and its descendants. @throws Error when the root is gone. */
export function readTree(rootPid: number): TreeUsage {
  const tree = descendants(rootPid, readAll());
  if (tree.length === 0) throw new Error(`Process ${rootPid} is gone`);
  let [cpuMs, rssKiB, peakRssKiB] = [0, 0, 0];
  for (const usage of tree) {
    cpuMs += usage.cpuMs;
    const status = readOrEmpty(`/proc/${usage.pid}/status`);
    rssKiB += kibibytes(status, "VmRSS");
    peakRssKiB += kibibytes(status, "VmHWM");
  }
  return { cpuMs, rssKiB, peakRssKiB, processes: tree.length };
}

/** The root and everything below it, from a list of all processes. */
export function descendants(rootPid: number, all: readonly ProcessUsage[]): ProcessUsage[] {
  const found = all.filter((usage) => usage.pid === rootPid);
  for (const parent of found) {
    // `found` grows while it is walked: breadth first.
    found.push(...all.filter((usage) => usage.parentPid === parent.pid && usage.pid !== rootPid));
  }
  return found;
}

/** Time that the hypervisor gave to others while this machine wanted to run, summed over its CPUs, in milliseconds. */
export function readStealMs(): number {
  const cpu = readOrEmpty("/proc/stat").split("\n", 1)[0]?.split(/\s+/) ?? [];
  return Number(cpu[8] ?? 0) * msPerTick;
}

function readAll(): ProcessUsage[] {
  const all: ProcessUsage[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const text = readOrEmpty(`/proc/${name}/stat`);
    if (text !== "") all.push(parseStat(text));
  }
  return all;
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
