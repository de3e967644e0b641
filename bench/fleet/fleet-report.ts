// What the fleet bench writes and prints.
import type { describeMachine } from "../machine.ts";
import { formatNumber, formatTable } from "../table.ts";
import type { FleetOptions } from "./fleet-options.ts";

/** One fleet and one size of table. */
export type FleetRow = {
  readonly keys: number;
  /** What the routers took: every change as the whole table, or as a delta where they offered to. */
  readonly push: "whole" | "delta";
  readonly snapshotBytes: number;
  readonly rounds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly lastAckMedianMs: number;
  readonly lastAckMaxMs: number;
  /** Until the control plane has answered the `PUT`: validated, on disk, and handed to the links. */
  readonly putMedianMs: number;
  /** Of one push, to all routers together. */
  readonly bytesToRouters: number;
  /** How many of its messages were deltas, the fewest of all counted rounds. */
  readonly deltas: number;
  readonly lostLinks: number;
  readonly controlPlaneCpuMs: number;
  readonly controlPlanePeakRssMiB: number;
};

export type FleetResult = {
  readonly bench: "fleet";
  readonly stage: string;
  readonly takenAt: string;
  readonly machine: ReturnType<typeof describeMachine>;
  readonly stealMs: number;
  readonly routers: number;
  readonly clientProcesses: number;
  readonly method: readonly string[];
  readonly rows: readonly FleetRow[];
  readonly bar: {
    readonly keys: number;
    readonly maxP99Ms: number;
    readonly p99Ms: number;
    readonly met: boolean;
  } | null;
};

/** The promise of m3, which m5 keeps: p99 at 1,000 keys. */
const bar = { keys: 1_000, maxP99Ms: 1_000 };

export function fleetResult(
  { stage, routers, processes }: FleetOptions,
  measured: Pick<FleetResult, "machine" | "stealMs" | "rows">,
): FleetResult {
  const judged = measured.rows.filter((row) => row.keys === bar.keys).map((row) => row.p99Ms);
  const p99Ms = Math.max(...judged);
  return {
    bench: "fleet",
    stage,
    takenAt: new Date().toISOString(),
    ...measured,
    routers,
    clientProcesses: processes,
    method: methodOf(stage),
    bar: judged.length === 0 ? null : { ...bar, p99Ms, met: p99Ms < bar.maxP99Ms },
  };
}

function methodOf(stage: FleetOptions["stage"]): string[] {
  const method = [
    `One control plane process (stages/${stage}/src/control-plane/main.ts), its store on disk with fsync; the clients' ends in the number of processes named.`,
    "Every client is the stage's own, on a WebSocket of its own: head decoded, position decided, ack sent, pings both ways, reconnect with backoff.",
    "The table is parsed, validated and summed once a process and revision; every other client compares its bytes with those.",
    "A change moves one key. A latency runs from just before the PUT to the moment when a client has applied the revision and is about to send its ack, on the machine's monotonic clock.",
    "All clients and all rounds count alike in p50 and p99; lastAck is the latest client of a round. After a round GET /v1/routers must list every router at the new revision.",
    "bytesToRouters is the length of the messages that were applied, without the few bytes of WebSocket framing. lostLinks were cut and made anew in the counted rounds: 0 unless the machine is overloaded. The first round is not counted.",
  ];
  if (stage === "m3") return method;
  return [
    ...method,
    "Two fleets, one after the other, on a control plane process each: in one the routers' hello accepts deltas, in the other it does not, and all else is the same. The PUT carries the whole table in both.",
    "A delta is applied once a process and revision, like the decoding; every client composes the whole message from it for its disk, as the stage's router does, but writes none.",
  ];
}

export function formatFleet({
  stage,
  machine,
  routers,
  clientProcesses,
  rows,
  bar: judged,
}: FleetResult): string {
  const lines = [
    `From PUT to ack: ${routers} routers of ${stage}, their ends in ${clientProcesses} processes, on ${machine.cpu}, ${machine.cores} cores, Node ${machine.node}`,
    "",
    formatTable(
      columns.map(([title]) => title),
      rows.map((row) => columns.map(([, cell]) => cell(row, rows))),
    ),
    "",
    "sent, CPU: of the control plane, a push. The method stands in the JSON.",
  ];
  for (const row of rows) {
    if (row.push === "delta" && row.deltas < routers)
      lines.push(`NOTE: at ${row.keys} keys only ${row.deltas} of ${routers} routers were sent a delta.`);
  }
  if (machine.loadBefore > 0.5)
    lines.push(`NOTE: the machine was busy before the start (load ${machine.loadBefore}).`);
  if (judged !== null) {
    const words = `p99 at 1,000 keys is ${formatNumber(judged.p99Ms)} ms, ${judged.maxP99Ms} allowed.`;
    lines.push(`${judged.met ? "Within" : "OVER"} the bar: ${words}`);
  }
  return lines.join("\n");
}

type Column = readonly [title: string, cell: (row: FleetRow, rows: readonly FleetRow[]) => string];

const columns: readonly Column[] = [
  ["keys", (row) => row.keys.toLocaleString("en")],
  ["push", (row) => row.push],
  ["table KiB", (row) => formatNumber(row.snapshotBytes / 1024)],
  ["rounds", (row) => String(row.rounds)],
  ["p50 ms", (row) => formatNumber(row.p50Ms)],
  ["p99 ms", (row) => formatNumber(row.p99Ms)],
  ["last ack ms", (row) => formatNumber(row.lastAckMedianMs)],
  ["worst ms", (row) => formatNumber(row.lastAckMaxMs)],
  ["PUT ms", (row) => formatNumber(row.putMedianMs)],
  ["sent MiB", (row) => formatNumber(row.bytesToRouters / 1024 / 1024)],
  ["÷ whole", ofWhole],
  ["lost links", (row) => String(row.lostLinks)],
  ["CPU ms", (row) => formatNumber(row.controlPlaneCpuMs)],
  ["peak MiB", (row) => formatNumber(row.controlPlanePeakRssMiB)],
];

/** Bytes sent, as a share of what the fleet without deltas was sent. */
function ofWhole(row: FleetRow, rows: readonly FleetRow[]): string {
  const whole = rows.find(({ keys, push }) => keys === row.keys && push === "whole");
  return whole === undefined ? "-" : (row.bytesToRouters / whole.bytesToRouters).toPrecision(2);
}
