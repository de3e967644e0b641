// Turns a routing table into a configuration of HAProxy 2.6 and its map files. Pure: it writes nothing and starts nothing.

import type { RoutingTable } from "../../stages/m4/src/routing-table.ts";
import { backend } from "./backend.ts";
import { frontend, placesTable, unreachableMark } from "./frontend.ts";
import { mapEntries, mapFiles, mapText, ratePeriods } from "./maps.ts";
import { errorPage } from "./pages.ts";
import { rateTable } from "./rate-window.ts";

export interface HaproxyOptions {
  /** Address and port for clients. */
  readonly host: string;
  readonly port: number;
  /** Path of the Unix socket of the Runtime API. */
  readonly socket: string;
  /** Folder in which the map files will be, as an absolute path. */
  readonly folder: string;
  /** Where the access log goes, as HAProxy's `log` names it. @default "stdout" */
  readonly log?: string;
  /** With more than one thread, limits may let a request more through at the same instant. @default 1 */
  readonly threads?: number;
  /** Connections of clients, at most. @default 4096 */
  readonly maxConnections?: number;
}

export interface HaproxyConfig {
  readonly text: string;
  /** Content of each map file, by its name in `folder`. */
  readonly maps: ReadonlyMap<string, string>;
}

/** Characters that need no quoting inside a converter's arguments. */
const plainPath = /^\/[A-Za-z0-9_./-]*$/;

/** @throws RangeError for a path that would need quoting */
export function haproxyConfig(table: RoutingTable, options: HaproxyOptions): HaproxyConfig {
  for (const path of [options.folder, options.socket])
    if (!plainPath.test(path))
      throw new RangeError(
        `Use a path of letters, digits, "_", ".", "-" and "/", not ${JSON.stringify(path)}`,
      );
  const periods = ratePeriods(table);
  const map = (file: string) => `map_str(${options.folder}/${file})`;
  const bind = `${options.host.includes(":") ? `[${options.host}]` : options.host}:${options.port}`;
  const sections = [
    global(options),
    defaults(),
    frontend({ bind, map, ratePeriodsMs: periods }),
    ...periods.map(rateCounters),
    placeCounters(table.placements.size),
    ...[...table.placements.values()].map((placement) => backend(table, placement)),
  ];
  const text = sections.map(([head, ...lines]) => [head, ...lines.map((line) => `  ${line}`), ""].join("\n"));
  const entries = mapEntries(table);
  return {
    text: `${text.join("\n")}`,
    maps: new Map(mapFiles.map((file) => [file, mapText(entries[file])])),
  };
}

function global({ socket, log = "stdout", threads = 1, maxConnections = 4096 }: HaproxyOptions) {
  return [
    "global",
    `nbthread ${threads}`,
    `maxconn ${maxConnections}`,
    // A reload hands the listening sockets over, so no connection is refused meanwhile.
    `stats socket ${socket} mode 600 level admin expose-fd listeners`,
    `log ${log} len 16384 format raw local0 info`,
    // A second HAProxy on this port must fail to start: the system would share the connections out between two tables.
    "noreuseport",
    // After a reload, the old worker lets requests that are under way finish, but not for ever.
    "hard-stop-after 15m",
    "tune.http.maxhdr 1000",
    // The whole target in the log, and not its first 1,024 bytes.
    "tune.http.logurilen 8192",
    // HAProxy spreads the first checks over the longest interval of all; here that may be an hour.
    "max-spread-checks 500",
    // Each interval ten per cent longer or shorter: the checks of many routers must not fall into step.
    "spread-checks 10",
  ];
}

/** The time limits of the contract as far as HAProxy has them: one limit for the head and the body's silence. */
function defaults(): readonly string[] {
  return [
    "defaults",
    "mode http",
    "log global",
    "timeout connect 5s",
    "timeout server 30s",
    "timeout client 75s",
    "timeout http-request 10s",
    "timeout http-keep-alive 65s",
    // A fallback whose places are taken is passed over at once, and not waited for.
    "timeout queue 1ms",
    "option http-ignore-probes",
    // When a client has left, its request to the cell must be aborted.
    "option abortonclose",
    // A client that connects during a reload gets its response before the old worker closes the connection.
    "option idle-close-on-response",
    "http-reuse always",
    errorPage(400, "malformed-request", { id: "unread", closes: true }),
    errorPage(408, "request-timeout", { id: "unread" }),
    errorPage(500, "router-fault"),
    errorPage(502, "upstream-broken"),
    errorPage(503, "upstream-unreachable", { fields: { [unreachableMark]: "1" } }),
    errorPage(504, "head-timeout"),
  ];
}

/** One counter for each thing that is limited; only what the table names can get one. */
function rateCounters(periodMs: number): readonly string[] {
  const expireMs = Math.min(periodMs * 2 + 1000, 2_000_000_000);
  return [
    `backend ${rateTable(periodMs)}`,
    `stick-table type string len 520 size 100k expire ${expireMs}ms store gpc0_rate(${periodMs}ms)`,
  ];
}

function placeCounters(placements: number): readonly string[] {
  return [
    `backend ${placesTable}`,
    `stick-table type string len 80 size ${Math.max(placements * 2, 1000)} expire 1h store conn_cur`,
  ];
}
