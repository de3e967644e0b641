// What the bench's other commands saved with `--save`, as tables: bodies, connections, workers and the fleet of routers.
// One that has not been saved is left out.

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  bodies,
  connections,
  figure,
  type Saved,
  type SavedTable,
  type TableKind,
  takenWords,
} from "./saved-tables.ts";

const folder = fileURLToPath(new URL("../data", import.meta.url));
const mebi = (bytes: number): string => figure(bytes / 1024 / 1024);

const workers: TableKind = {
  title: "One worker and two",
  columns: ["Contender", "CPU µs a request", "Requests a second", "Peak memory, MiB"],
  row: ({ name, cpuUsPerRequest, requestsPerSecond, peakRssMiB }) => [
    name,
    figure(cpuUsPerRequest.median),
    figure(requestsPerSecond.median),
    figure(peakRssMiB),
  ],
};

const fleet: TableKind = {
  title: "A push to many routers: whole tables",
  columns: ["Keys", "Push", "Sent, MiB", "p50, ms", "p99, ms", "Links lost"],
  row: ({ keys, push = "whole", bytesToRouters, p50Ms, p99Ms, lostLinks }) => [
    keys.toLocaleString("en-US"),
    push,
    mebi(bytesToRouters),
    figure(p50Ms),
    figure(p99Ms),
    String(lostLinks),
  ],
};

/** The file, the command that writes it, and the table. */
const kinds: readonly (readonly [name: string, command: string, kind: TableKind])[] = [
  ["bodies", "bodies", bodies],
  ["connections", "connections", connections],
  ["workers", "workers", workers],
  ["fleet", "fleet", fleet],
  [
    "fleet-m5",
    "fleet --stage m5",
    { ...fleet, title: "A push to many routers: m5, deltas beside whole tables" },
  ],
];

function tableOf([name, command, { title, columns, row }]: (typeof kinds)[number]): SavedTable[] {
  const file = `${folder}/bench-${name}.json`;
  if (!existsSync(file)) return [];
  const saved: Saved = JSON.parse(readFileSync(file, "utf8"));
  const { method, routers, rows } = saved;
  const how = Array.isArray(method)
    ? `${routers} routers`
    : `${method.rounds ?? 1} rounds of ${method.seconds} s`;
  const taken = takenWords(saved, how);
  return [{ title, command: `npm run bench -- ${command} --save`, columns, rows: rows.map(row), taken }];
}

declare const data: readonly SavedTable[];

export { data };

export default {
  watch: ["../data/bench-*.json"],
  load: (): readonly SavedTable[] => kinds.flatMap(tableOf),
};
