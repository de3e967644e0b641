// Reads what the Runtime API prints: maps, servers, processes. Pure.

/** An entry of a map as HAProxy holds it: there may be several with one key, and the first one counts. */
export type ShownEntry = readonly [key: string, value: string];

/** `show map FILE`: a line for each entry, `0x55abe487eb80 KEY VALUE`. */
export function parseMap(output: string): ShownEntry[] {
  return output.split("\n").flatMap((line) => {
    const [, key, value] = /^0x[0-9a-f]+ (\S+) (.*)$/.exec(line) ?? [];
    return key === undefined || value === undefined ? [] : [[key, value] as const];
  });
}

/** `get map FILE KEY`: `type=str, case=sensitive, found=yes, idx=tree, key="62", value="tier1", type="str"`. */
export function parseMapValue(output: string): string | undefined {
  return /^type=.*, found=yes, .*, value="([^"]*)"/m.exec(output)?.[1];
}

export interface ShownServer {
  readonly backend: string;
  readonly server: string;
  /** `127.0.0.1:9001`, or `[::1]:9001`; IPv6 is spelled as in a URL. */
  readonly address: string;
  /** 0 is no limit. */
  readonly maxconn: number;
}

/** `show stat -1 4 -1`: the servers of all backends, as CSV with a head. */
export function parseServers(output: string): ShownServer[] {
  const [head = "", ...rows] = output.split("\n");
  const names = head.replace(/^# /, "").split(",");
  return rows
    .filter((row) => row.includes(","))
    .map((row) => {
      const cells = row.split(",");
      const cell = (name: string) => cells[names.indexOf(name)] ?? "";
      const [backend, server] = [cell("pxname"), cell("svname")];
      return { backend, server, address: asInUrl(cell("addr")), maxconn: Number(cell("slim")) };
    });
}

/** The system writes the last four bytes of some IPv6 addresses in decimal, which a URL does not. */
function asInUrl(address: string): string {
  return address.replace(/^\[.*\]/, (host) => URL.parse(`http://${host}`)?.hostname ?? host);
}

export interface ShownProcesses {
  readonly master: number;
  /** How often the master has loaded its configuration again, the failures included. */
  readonly reloads: number;
  readonly failed: number;
  /** The worker in charge; undefined while there is none. */
  readonly worker: number | undefined;
  /** Workers of earlier configurations that finish their requests. */
  readonly oldWorkers: readonly number[];
}

/** `show proc` of the master. @throws Error when that is not what it is */
export function parseProcesses(output: string): ShownProcesses {
  const [, master, reloads, failed = "0"] =
    /^(\d+)\s+master\s+(\d+)(?:\s+\[failed: (\d+)\])?/m.exec(output) ?? [];
  if (master === undefined) throw new Error(`"show proc" names no master: ${output.slice(0, 200)}`);
  const [now = "", old = ""] = output.split("# old workers");
  const workersIn = (text: string) => [...text.matchAll(/^(\d+)\s+worker\s/gm)].map(([, pid]) => Number(pid));
  return {
    master: Number(master),
    reloads: Number(reloads),
    failed: Number(failed),
    worker: workersIn(now)[0],
    oldWorkers: workersIn(old),
  };
}

/** A field of `show info`. */
export function parseInfo(output: string, name: string): string | undefined {
  const line = output.split("\n").find((each) => each.toLowerCase().startsWith(`${name.toLowerCase()}: `));
  return line?.slice(name.length + 2);
}
