// What the bench's other commands saved with `--save`, as tables: bodies, connections, workers and the fleet of routers.
// One that has not been saved is left out.

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export interface BenchTable {
  readonly title: string;
  readonly command: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Where and how it was taken. */
  readonly taken: string;
}

// biome-ignore lint/suspicious/noExplicitAny: JSON that the bench wrote, each kind in a shape of its own
type Saved = any;

const folder = fileURLToPath(new URL("../data", import.meta.url));
const figure = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString("en-US") : String(Number(value.toPrecision(3)));
const mebi = (bytes: number): string => figure(bytes / 1024 / 1024);

const kinds: readonly (readonly [
  name: string,
  title: string,
  columns: readonly string[],
  row: (row: Saved) => readonly string[],
])[] = [
  [
    "bodies",
    "Large bodies: MiB for each second of the proxy's CPU time",
    ["Contender", "Down", "Up", "Peak memory, MiB"],
    ({ name, down, up, peakRssMiB }) => [
      name,
      figure(down.mibPerCpuSecond.median),
      figure(up.mibPerCpuSecond.median),
      figure(peakRssMiB),
    ],
  ],
  [
    "connections",
    "A thousand connections: peak memory in MiB",
    ["Contender", "Fresh", "All idle", "All busy"],
    ({ name, freshMiB, idlePeakMiB, busyPeakMiB }) => [
      name,
      figure(freshMiB),
      figure(idlePeakMiB),
      figure(busyPeakMiB),
    ],
  ],
  [
    "workers",
    "One worker and two",
    ["Contender", "CPU µs a request", "Requests a second", "Peak memory, MiB"],
    ({ name, cpuUsPerRequest, requestsPerSecond, peakRssMiB }) => [
      name,
      figure(cpuUsPerRequest.median),
      figure(requestsPerSecond.median),
      figure(peakRssMiB),
    ],
  ],
  ...(["fleet", "fleet-m5"] as const).map(
    (name) =>
      [
        name,
        name === "fleet"
          ? "A push to many routers: whole tables"
          : "A push to many routers: m5, deltas beside whole tables",
        ["Keys", "Push", "Sent, MiB", "p50, ms", "p99, ms", "Links lost"],
        ({ keys, push = "whole", bytesToRouters, p50Ms, p99Ms, lostLinks }: Saved) => [
          keys.toLocaleString("en-US"),
          push,
          mebi(bytesToRouters),
          figure(p50Ms),
          figure(p99Ms),
          String(lostLinks),
        ],
      ] as const,
  ),
];

function tableOf([name, title, columns, row]: (typeof kinds)[number]): BenchTable[] {
  const file = `${folder}/bench-${name}.json`;
  if (!existsSync(file)) return [];
  const { takenAt, machine, method, routers, rows }: Saved = JSON.parse(readFileSync(file, "utf8"));
  const how = Array.isArray(method)
    ? `${routers} routers`
    : `${method.rounds ?? 1} rounds of ${method.seconds} s`;
  const taken =
    `Taken ${takenAt.slice(0, 10)} on ${machine.cpu}, ${machine.cores} cores${machine.virtual ? " (virtual)" : ""}, ` +
    `Node ${machine.node}: ${how}. The machine's load before: ${machine.loadBefore}.`;
  const command = name === "fleet-m5" ? "fleet --stage m5" : name;
  return [{ title, command: `npm run bench -- ${command} --save`, columns, rows: rows.map(row), taken }];
}

declare const data: readonly BenchTable[];

export { data };

export default {
  watch: ["../data/bench-*.json"],
  load: (): readonly BenchTable[] => kinds.flatMap(tableOf),
};
