// What a router holds: the descriptors, sockets and resident memory of its processes, read from /proc. Where there is no
// /proc they are not known, and a run says that it did not look.

import { readdirSync, readlinkSync } from "node:fs";
import { withDescendants } from "../../shared/testkit/process-by-port.ts";
import { residentBytes } from "../../shared/testkit/resident-memory.ts";

export interface Resources {
  readonly processes: number;
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
  return bytes === 0 ? undefined : { processes: pids.length, descriptors, sockets, residentBytes: bytes };
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
