// `npm run bench -- fleet`: how long a change takes to reach a fleet. The control plane of m3 in a process of its own,
// 1,000 routers' links from two others, all on this machine: from the `PUT` to the acknowledgement of the last router.
//
//   npm run bench -- fleet                                 tables of 10, 1,000 and 100,000 keys
//   npm run bench -- fleet --routers 200 --keys 10 --rounds 5 --json
//
// Options: --routers N --keys N,N,… --rounds N --processes N --json --name NAME --save --out FILE
// Exit codes: 0 measured and within the bar, 1 wrong arguments, 2 something failed, or p99 at 1,000 keys is over a second.
import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Child, readyLine, startChild } from "./child.ts";
import { deliver, showProgress } from "./deliver.ts";
import { type ClientsJob, type ClientsReport, machineNowMs } from "./fleet/router-clients.ts";
import { UsageError } from "./lineup.ts";
import { describeMachine } from "./machine.ts";
import { readStealMs, readTree } from "./process-tree.ts";
import { formatNumber, formatTable } from "./table.ts";

const root = join(import.meta.dirname, "..");
const maxMessageBytes = 64 * 1024 * 1024;

/** The promise of m3: p99 at 1,000 keys. */
const barMs = 1_000;

const method = [
  "One control plane process (stages/m3/src/control-plane/main.ts), its store on disk with fsync; the clients' ends in the number of processes named.",
  "Every client is the stage's own, on a WebSocket of its own: head decoded, position decided, ack sent, pings both ways, reconnect with backoff.",
  "The table is parsed, validated and summed once a process and revision; every other client compares its bytes with those.",
  "A latency runs from just before the PUT to the moment when a client has applied the revision and is about to send its ack, on the machine's monotonic clock.",
  "All clients and all rounds count alike in p50 and p99; lastAck is the latest client of a round. After a round GET /v1/routers must list every router at the new revision.",
  "bytesToRouters is the length of the messages that were applied. lostLinks were cut and made anew in the counted rounds: 0 unless the machine is overloaded. The first round is not counted.",
];

type FleetOptions = {
  readonly routers: number;
  readonly keys: readonly number[];
  readonly rounds: number;
  readonly processes: number;
  readonly json: boolean;
  readonly name: string;
  readonly out: string | undefined;
};

type FleetRow = {
  readonly keys: number;
  readonly snapshotBytes: number;
  readonly rounds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly lastAckMedianMs: number;
  readonly lastAckMaxMs: number;
  /** Until the control plane has answered the `PUT`: validated, on disk, and handed to the links. */
  readonly putMedianMs: number;
  readonly bytesToRouters: number;
  readonly lostLinks: number;
  readonly controlPlaneCpuMs: number;
  readonly controlPlanePeakRssMiB: number;
};

/** Returns the exit code. */
export async function benchFleet(args: readonly string[]): Promise<number> {
  const options = parseFleetOptions(args);
  if (options === undefined) return 0;
  const machine = describeMachine();
  const stealBefore = readStealMs();
  const rows: FleetRow[] = [];
  for (const keys of options.keys) rows.push(await measure(keys, options));
  const { routers, processes } = options;
  const bar = rows.find((row) => row.keys === 1_000);
  const result = {
    bench: "fleet",
    takenAt: new Date().toISOString(),
    machine,
    stealMs: readStealMs() - stealBefore,
    routers,
    clientProcesses: processes,
    method,
    rows,
    bar:
      bar === undefined ? null : { keys: 1_000, maxP99Ms: barMs, p99Ms: bar.p99Ms, met: bar.p99Ms < barMs },
  };
  deliver(
    { json: options.json, resultName: options.name, out: options.out } as Parameters<typeof deliver>[0],
    result,
    textOf(result),
  );
  return bar === undefined || bar.p99Ms < barMs ? 0 : 2;
}

async function measure(keys: number, options: FleetOptions): Promise<FleetRow> {
  const directory = mkdtempSync(join(tmpdir(), "cell-routing-fleet-"));
  const tokenFile = join(directory, "token");
  writeFileSync(join(directory, "routing.json"), JSON.stringify(tableOf(keys, 0)));
  const controlPlane = startChild(process.execPath, [join(root, "stages/m3/src/control-plane/main.ts")], {
    name: "control-plane",
    directory,
    env: {
      HOST: "127.0.0.1",
      CONTROL_PLANE_PORT: "0",
      ROUTING_FILE: join(directory, "routing.json"),
      STATE_DIR: join(directory, "state"),
      CONTROL_PLANE_TOKEN: "",
      CONTROL_PLANE_TOKEN_FILE: tokenFile,
      MAX_MESSAGE_BYTES: String(maxMessageBytes),
      LOG_LEVEL: "warn",
    },
  });
  const fleet: ClientProcess[] = [];
  try {
    const url = String((await readyLine(controlPlane))["url"]);
    const token = readFileSync(tokenFile, "utf8").trim();
    showProgress(`${keys} keys: ${options.routers} routers connect`);
    fleet.push(...startClients(url, token, options));
    await Promise.all(fleet.map((each) => each.acked(1)));
    return await pushRounds({ keys, url, token, controlPlane, fleet, options });
  } catch (error) {
    const said = readFileSync(controlPlane.stdoutPath, "utf8").trim().split("\n").slice(-3).join("\n");
    throw new Error(`${error instanceof Error ? error.message : error}; the control plane said:\n${said}`);
  } finally {
    for (const each of fleet) each.stop();
    await controlPlane.stop();
    rmSync(directory, { recursive: true, force: true });
    showProgress("");
  }
}

type Setting = {
  readonly keys: number;
  readonly url: string;
  readonly token: string;
  readonly controlPlane: Child;
  readonly fleet: readonly ClientProcess[];
  readonly options: FleetOptions;
};

async function pushRounds({ keys, url, token, controlPlane, fleet, options }: Setting): Promise<FleetRow> {
  const rounds = keys >= 100_000 ? Math.max(1, Math.ceil(options.rounds / 4)) : options.rounds;
  const latencies: number[] = [];
  const [lasts, puts]: [number[], number[]] = [[], []];
  let [cpuBefore, lostBefore, lost, bytes] = [0, 0, 0, 0];
  for (let round = 0; round <= rounds; round++) {
    showProgress(`${keys} keys: round ${round} of ${rounds}`);
    if (round === 1) {
      cpuBefore = readTree(controlPlane.pid).cpuMs;
      lostBefore = lost;
    }
    const body = JSON.stringify(tableOf(keys, round + 1));
    const revision = round + 2;
    const arrived = Promise.all(fleet.map((each) => each.acked(revision)));
    const startedAtMs = machineNowMs();
    await put(url, token, body);
    const putMs = machineNowMs() - startedAtMs;
    const reports = await arrived;
    bytes = reports.reduce((sum, report) => sum + report.bytes, 0);
    lost = reports.reduce((sum, report) => sum + report.lostLinks, 0);
    await expectEveryRouterAt(url, revision, options.routers);
    if (round === 0) continue;
    const took = reports.flatMap((report) => report.atMs.map((atMs) => atMs - startedAtMs));
    latencies.push(...took);
    lasts.push(Math.max(...took));
    puts.push(putMs);
  }
  const usage = readTree(controlPlane.pid);
  return {
    keys,
    snapshotBytes: Buffer.byteLength(JSON.stringify(tableOf(keys, 1))),
    rounds,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    lastAckMedianMs: percentile(lasts, 0.5),
    lastAckMaxMs: Math.max(...lasts),
    putMedianMs: percentile(puts, 0.5),
    bytesToRouters: bytes,
    lostLinks: lost - lostBefore,
    controlPlaneCpuMs: (usage.cpuMs - cpuBefore) / rounds,
    controlPlanePeakRssMiB: usage.peakRssKiB / 1024,
  };
}

/** A process that holds some of the clients. */
class ClientProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (report: ClientsReport) => void>();
  readonly #early = new Map<number, ClientsReport>();
  #fail: (error: Error) => void = () => {};
  readonly #failed: Promise<never>;

  constructor(job: ClientsJob) {
    const script = join(import.meta.dirname, "fleet", "clients-process.ts");
    this.#child = fork(script, [JSON.stringify(job)], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    this.#failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    // Told to whoever waits; nobody may be waiting yet.
    this.#failed.catch(() => {});
    this.#child.on("message", (message) => this.#take(message as ClientsReport));
    this.#child.once("exit", (code) => this.#fail(new Error(`A process of clients ended with ${code}`)));
  }

  /** Resolves when every client of this process runs `revision`. */
  acked(revision: number): Promise<ClientsReport> {
    const early = this.#early.get(revision);
    if (early !== undefined) return Promise.resolve(early);
    const report = new Promise<ClientsReport>((resolve) => this.#waiting.set(revision, resolve));
    return Promise.race([report, this.#failed]);
  }

  stop(): void {
    this.#child.disconnect();
  }

  #take(report: ClientsReport): void {
    const waiting = this.#waiting.get(report.revision);
    if (waiting === undefined) this.#early.set(report.revision, report);
    else waiting(report);
  }
}

function startClients(url: string, token: string, { routers, processes }: FleetOptions): ClientProcess[] {
  const each = Math.ceil(routers / processes);
  return Array.from({ length: processes }, (_, index) => {
    const first = index * each;
    return new ClientProcess({
      url: `${url.replace(/^http/, "ws")}/v1/connect`,
      token,
      first,
      count: Math.min(each, routers - first),
      maxMessageBytes,
    });
  });
}

async function put(url: string, token: string, body: string): Promise<void> {
  const headers = { Authorization: `Bearer ${token}`, "If-Match": "*", "Content-Type": "application/json" };
  const answer = await fetch(`${url}/v1/routing`, { method: "PUT", headers, body });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`PUT answered ${answer.status}: ${text.slice(0, 300)}`);
}

/** The control plane's own account must agree: an ack that it did not understand is none. */
async function expectEveryRouterAt(url: string, revision: number, count: number): Promise<void> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const { routers } = (await (await fetch(`${url}/v1/routers`)).json()) as {
      routers: { connected: boolean; revision: number; lagSeconds: number }[];
    };
    const upToDate = routers.filter((each) => each.connected && each.revision === revision);
    if (upToDate.length === count && upToDate.every(({ lagSeconds }) => lagSeconds === 0)) return;
    if (performance.now() > deadline)
      throw new Error(
        `The control plane knows ${upToDate.length} of ${count} routers at revision ${revision}`,
      );
  }
}

function tableOf(keys: number, round: number): unknown {
  const names = Array.from({ length: 8 }, (_, index) => `tier${index + 1}`);
  const placements = names.map((name, index) => [
    name,
    { kind: "tier", url: `http://127.0.0.1:${9001 + index}` },
  ]);
  const routingTable = Array.from({ length: keys }, (_, index) => [
    `tenant-${index}`,
    // One key moves with each round, as in an ordinary change.
    names[(index === 0 ? round : index) % names.length],
  ]);
  return {
    version: `round-${round}`,
    defaultPlacement: "tier1",
    routingTable: Object.fromEntries(routingTable),
    placements: Object.fromEntries(placements),
  };
}

function percentile(values: readonly number[], quantile: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(sorted.length * quantile) - 1)];
  if (value === undefined) throw new RangeError("Cannot take a percentile of no values");
  return value;
}

function parseFleetOptions(args: readonly string[]): FleetOptions | undefined {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const spec = { routers: text, keys: text, rounds: text, processes: text, name: text, out: text };
  let values: Partial<Record<string, string | boolean>>;
  try {
    values = parseArgs({ args: [...args], options: { ...spec, json: flag, save: flag, help: flag } }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? (error.message.split(/\. |\n/)[0] ?? "") : String(error));
  }
  if (values["help"] === true) {
    console.log(
      "npm run bench -- fleet [--routers N] [--keys N,N] [--rounds N] [--processes N] [--json] [--save] [--out FILE]",
    );
    return undefined;
  }
  const whole = (name: string, given: unknown, max: number): number => {
    const value = Number(given);
    if (Number.isInteger(value) && value >= 1 && value <= max) return value;
    throw new UsageError(`--${name} takes a whole number from 1 to ${max}, not "${given}"`);
  };
  const name = String(values["name"] ?? "latest-fleet");
  if (!/^[\w.-]{1,80}$/.test(name))
    throw new UsageError(`--name takes letters, digits, ".", "-", "_", not "${name}"`);
  const saved = values["save"] === true ? join(root, "site", "data", "bench-fleet.json") : undefined;
  return {
    routers: whole("routers", values["routers"] ?? 1_000, 10_000),
    keys: String(values["keys"] ?? "10,1000,100000")
      .split(",")
      .map((each) => whole("keys", each, 200_000)),
    rounds: whole("rounds", values["rounds"] ?? 20, 1_000),
    processes: whole("processes", values["processes"] ?? 2, 16),
    json: values["json"] === true,
    name,
    out: typeof values["out"] === "string" ? values["out"] : saved,
  };
}

type Result = {
  readonly machine: ReturnType<typeof describeMachine>;
  readonly routers: number;
  readonly clientProcesses: number;
  readonly rows: readonly FleetRow[];
  readonly bar: { readonly p99Ms: number; readonly met: boolean } | null;
};

function textOf({ machine, routers, clientProcesses, rows, bar }: Result): string {
  const head = [
    "keys",
    "table KiB",
    "rounds",
    "p50 ms",
    "p99 ms",
    "last ack ms",
    "worst ms",
    "PUT ms",
    "sent MiB",
    "lost links",
    "CPU ms",
    "peak MiB",
  ];
  const body = rows.map((row) => [
    row.keys.toLocaleString("en"),
    formatNumber(row.snapshotBytes / 1024),
    String(row.rounds),
    formatNumber(row.p50Ms),
    formatNumber(row.p99Ms),
    formatNumber(row.lastAckMedianMs),
    formatNumber(row.lastAckMaxMs),
    formatNumber(row.putMedianMs),
    formatNumber(row.bytesToRouters / 1024 / 1024),
    String(row.lostLinks),
    formatNumber(row.controlPlaneCpuMs),
    formatNumber(row.controlPlanePeakRssMiB),
  ]);
  const lines = [
    `From PUT to ack: ${routers} routers, their ends in ${clientProcesses} processes, on ${machine.cpu}, ${machine.cores} cores, Node ${machine.node}`,
    "",
    formatTable(head, body),
    "",
    "sent, CPU: of the control plane, a push. The method stands in the JSON.",
  ];
  if (machine.loadBefore > 0.5)
    lines.push(`NOTE: the machine was busy before the start (load ${machine.loadBefore}).`);
  if (bar !== null) {
    lines.push(
      `${bar.met ? "Within" : "OVER"} the bar: p99 at 1,000 keys is ${formatNumber(bar.p99Ms)} ms, ${barMs} allowed.`,
    );
  }
  return lines.join("\n");
}
