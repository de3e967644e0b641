// Resident memory of another process, read from /proc. Where there is no /proc the answer is null, and a test that
// needs it is skipped by name rather than passed in silence.

import { readFileSync } from "node:fs";

/** Bytes of physical memory that a process uses now; null where that cannot be known. */
export function residentBytes(pid: number): number | null {
  try {
    const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return match === null ? null : Number(match[1]) * 1024;
  } catch {
    return null;
  }
}

export interface MemoryPeak {
  readonly startBytes: number;
  readonly peakBytes: number;
  readonly growthBytes: number;
}

/**
 * Samples a process every `everyMs` (25) while `work` runs. `null` where memory cannot be read.
 *
 * @param pids More than one for a router that runs worker processes: their sum is what counts.
 */
export async function peakResidentDuring(
  pids: readonly number[],
  work: () => Promise<void>,
  everyMs = 25,
): Promise<MemoryPeak | null> {
  const sample = () => {
    let sum = 0;
    for (const pid of pids) {
      const bytes = residentBytes(pid);
      if (bytes === null) return null;
      sum += bytes;
    }
    return sum;
  };
  const startBytes = sample();
  let peakBytes = startBytes ?? 0;
  const timer = setInterval(() => {
    peakBytes = Math.max(peakBytes, sample() ?? 0);
  }, everyMs);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  if (startBytes === null) return null;
  peakBytes = Math.max(peakBytes, sample() ?? 0);
  return { startBytes, peakBytes, growthBytes: peakBytes - startBytes };
}
