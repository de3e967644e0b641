// What a router holds: the descriptors, sockets and resident memory of its processes, read from /proc. Where there is no
// /proc they are not known, and a run says that it did not look.

import { readdirSync, readlinkSync } from "node:fs";
import { withDescendants } from "../../shared/testkit/process-by-port.ts";
import { residentBytes } from "../../shared/testkit/resident-memory.ts";

export interface Resources {
  readonly pids: readonly number[];
  readonly descriptors: number;
  readonly sockets: number;
  readonly residentBytes: number;
}

/** Of a process and those that it started; undefined where that cannot be known. */
export function resourcesOf(pid: number): Resources | undefined {
  const pids = withDescendants(pid);
  let [descriptors, sockets, bytes] = [0, 0, 0];
  try {
    for (const each of pids) {
      const links = descriptorsOf(each);
      descriptors += links.length;
      sockets += links.filter((link) => link.startsWith("socket:")).length;
      bytes += residentBytes(each) ?? 0;
    }
  } catch {
    return undefined;
  }
  return bytes === 0 ? undefined : { pids, descriptors, sockets, residentBytes: bytes };
}

function descriptorsOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).flatMap((name) => {
    try {
      return [readlinkSync(`${folder}/${name}`)];
    } catch {
      // Closed meanwhile.
      return [];
    }
  });
}

const everyMs = 250;

/** Looks at a router while a run goes on. */
export class ResourceWatch {
  /** The most of each at one moment. */
  peak: Resources | undefined;
  /** The most memory in each quarter of the run. */
  readonly quarters: [number, number, number, number] = [0, 0, 0, 0];
  readonly #pid: number | undefined;
  readonly #lengthMs: number;
  readonly #onProcessGone: (pid: number) => void;
  #startedAtMs = 0;
  #known: readonly number[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** @param onProcessGone Called for a process of the router, such as a worker, that has ended. */
  constructor(pid: number | undefined, lengthMs: number, onProcessGone: (pid: number) => void) {
    this.#pid = pid;
    this.#lengthMs = lengthMs;
    this.#onProcessGone = onProcessGone;
  }

  start(): void {
    this.#startedAtMs = performance.now();
    this.#timer = setInterval(() => this.#look(), everyMs);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = this.#pid === undefined ? undefined : resourcesOf(this.#pid);
    if (now === undefined) return;
    for (const pid of this.#known) if (!now.pids.includes(pid)) this.#onProcessGone(pid);
    this.#known = now.pids;
    const quarter = Math.min(3, Math.floor((4 * (performance.now() - this.#startedAtMs)) / this.#lengthMs));
    this.quarters[quarter] = Math.max(this.quarters[quarter] ?? 0, now.residentBytes);
    const { peak } = this;
    this.peak = {
      pids: now.pids,
      descriptors: Math.max(peak?.descriptors ?? 0, now.descriptors),
      sockets: Math.max(peak?.sockets ?? 0, now.sockets),
      residentBytes: Math.max(peak?.residentBytes ?? 0, now.residentBytes),
    };
  }
}
