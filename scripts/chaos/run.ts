// One run: cells, a router between them, hostile clients on one side and clean ones beside them, and the judgement.

import { runClient } from "../load/clients.ts";
import { type CellName, cellNames, cellsOf, type Table } from "../load/tables.ts";
import { Tally } from "../load/tally.ts";
import type { Milestone } from "../stages.ts";
import { recoveryFaults, resourceFaults, settledResources, stopFaults } from "./aftermath.ts";
import { ChaosCell } from "./cells.ts";
import { type Fault, type FaultGroup, FaultLog } from "./faults.ts";
import type { Transcript } from "./hostile-client.ts";
import { Lanes, type Port, type Recorded } from "./lanes.ts";
import { type ClientKind, Plans } from "./plan.ts";
import { type Resources, resourcesOf } from "./resources.ts";
import { type RouterUnderTest, startRouterUnderTest, type Target } from "./router.ts";
import { chaosTable, cleanKeys, hostileCells } from "./table.ts";
import { cleanIdOf, numberOf, tagOf } from "./tags.ts";
import { Witness } from "./witness.ts";

export interface RunOptions {
  readonly target: Target;
  /** The milestone whose table the router reads. */
  readonly level: Milestone;
  readonly seed: number;
  readonly seconds: number;
  readonly connections: number;
  readonly lanes: number;
  readonly cleanClients: number;
  readonly kinds: ReadonlySet<ClientKind>;
  /** Ports of the cells, where the router cannot be told; 0 for any free one. */
  readonly ports: Readonly<Record<CellName, number>>;
  /** These connections instead of the plan's first ones. */
  readonly sequence: readonly Recorded[] | undefined;
  /** A replay looks at the fault alone. */
  readonly withAftermath: boolean;
  readonly signal: AbortSignal;
}

/** A transcript, with what cells did for the connection's requests. */
export type Told = Transcript & { readonly deeds: readonly string[] };

export interface RunResult {
  readonly faults: readonly FaultGroup[];
  /** How the process ended, where it did. */
  readonly death:
    | { readonly how: string; readonly lastLines: readonly string[]; readonly afterMs: number }
    | undefined;
  readonly connections: number;
  readonly byKind: ReadonlyMap<string, number>;
  readonly behaviours: ReadonlyMap<string, number>;
  readonly requestsAtCells: number;
  readonly clean: Tally;
  readonly before: Resources | undefined;
  readonly peak: Resources | undefined;
  readonly after: Resources | undefined;
  readonly stopMs: number | undefined;
  readonly seconds: number;
  /** The connections that acted last, the latest first. */
  readonly latest: readonly Told[];
  /** Those that a fault names, as far as they are remembered. */
  readonly guilty: readonly Told[];
  readonly startedAtMs: number;
}

/** Hostile exchanges that are under way at the end may finish that long. */
const lastMs = 1_500;

export async function runChaos(options: RunOptions): Promise<RunResult> {
  const { seed, signal, level } = options;
  const now = () => performance.now();
  const plans = new Plans(seed);
  const faults = new FaultLog();
  const violated = (fault: Fault) => faults.add(fault);
  const healthPath = `/health-${numberOf(tagOf(seed, { connection: 0, request: 0 }, "forged")).toString(36)}`;
  let table: Table | undefined;
  const cellsFor = (key: string) => (table === undefined ? [] : cellsOf(table, key));
  const witness = new Witness({ seed, plans, cellsOf: cellsFor, now, violated });
  const cells = cellNames.map(
    (name, index) =>
      new ChaosCell({ name, index, seed, isHostile: hostileCells.has(name), witness, healthPath }),
  );
  let router: RouterUnderTest | undefined;
  try {
    for (const cell of cells) await cell.open(options.ports[cell.name as CellName]);
    const urls = Object.fromEntries(cells.map((cell) => [cell.name, cell.url])) as Record<CellName, string>;
    table = chaosTable(level, urls, healthPath);
    router = await startRouterUnderTest(options.target, table.document, urls);
    const judged = await judgedRun({
      options,
      router,
      table,
      cells,
      witness,
      plans,
      now,
      violated,
      named: () => faults.connections(),
    });
    return {
      ...judged,
      faults: faults.groups(),

      requestsAtCells: witness.arrivals,
      behaviours: behavioursOf(cells),
    };
  } finally {
    await router?.close();
    await Promise.all(cells.map((cell) => cell.close()));
    signal.throwIfAborted();
  }
}

interface Parts {
  readonly options: RunOptions;
  readonly router: RouterUnderTest;
  readonly table: Table;
  readonly cells: readonly ChaosCell[];
  readonly witness: Witness;
  readonly plans: Plans;
  readonly now: () => number;
  readonly violated: (fault: Fault) => void;
  /** The connections that faults have named so far. */
  readonly named: () => number[];
}

async function judgedRun(
  parts: Parts,
): Promise<Omit<RunResult, "faults" | "requestsAtCells" | "behaviours">> {
  const { options, router, table, cells, witness, plans, now, violated } = parts;
  const { seed, kinds } = options;
  const clean = new Tally();
  const over = new AbortController();
  const lanesOver = new AbortController();
  const lanes = new Lanes({
    seed,
    plans,
    cells,
    witness,
    kinds,
    now,
    data: portOf(router.url),
    admin: router.adminUrl === undefined ? undefined : portOf(router.adminUrl),
    signal: lanesOver.signal,
  });
  const spoiled = cells.filter((cell) => cell.isHostile);
  for (const cell of spoiled) cell.isHostile = false;
  for (const fault of await recoveryFaults(router.url, table, seed, cleanKeys))
    violated({ ...fault, connection: undefined });
  const { pid } = router;
  const before = pid === undefined ? undefined : await settledResources(pid, cells, () => false, 500);
  for (const cell of spoiled) cell.isHostile = true;
  const peak = watchPeak(pid, over.signal);

  const startedAtMs = now();
  const clients = Array.from({ length: options.cleanClients }, (_, number) =>
    runClient(
      {
        router: router.url,
        seed,
        number,
        keys: cleanKeys,
        idOf: (n) => cleanIdOf(seed, number, n),
        // A body that stands still is given 30 s.
        timeoutMs: 45_000,
        look: () => () => ({ tables: [table], isDisturbed: (cell) => hostileCells.has(cell) }),
        onEnd: (verdict, what, _from, _to, id) => {
          const deed = witness.cleanEnded(id);
          if (router.hasEnded) return;
          clean.ended(verdict, what);
          for (const violation of verdict.violations) {
            // Details stand in brackets.
            const rule = `clean client: ${violation.replaceAll(/ \([^)]*\)/g, "")}`;
            violated({ rule, detail: `${violation}: ${what}; the cell: ${deed}`, connection: undefined });
          }
        },
      },
      over.signal,
    ),
  );
  const work =
    options.sequence === undefined
      ? lanes.run(options.lanes, options.connections)
      : lanes.replay(options.sequence);
  const timeIsUp = AbortSignal.any([AbortSignal.timeout(options.seconds * 1000), options.signal]);
  await Promise.race([work, aborted(timeIsUp), router.ended]);
  // What is under way may end as planned.
  if (!router.hasEnded) await Promise.race([work, aborted(AbortSignal.timeout(lastMs)), router.ended]);
  const seconds = (now() - startedAtMs) / 1000;
  const afterMs = now() - startedAtMs;
  const latest = lanes.latest();
  lanesOver.abort();
  await work;
  for (const cell of cells) {
    cell.isHostile = false;
    await cell.setMode("up");
  }
  const result = {
    connections: lanes.connections,
    byKind: lanes.byKind,
    clean,
    before,
    seconds,
    startedAtMs,
  };
  const guilty = parts.named().flatMap((number) => lanes.transcriptOf(number) ?? []);
  const withDeeds = (each: Transcript) => ({ ...each, deeds: witness.deedsFor(each.number) });
  const transcripts = () => ({ latest: latest.slice(0, 60).map(withDeeds), guilty: guilty.map(withDeeds) });
  if (options.withAftermath && !router.hasEnded) {
    for (const fault of await recoveryFaults(router.url, table, seed, cleanKeys))
      violated({ ...fault, connection: undefined });
  }
  over.abort();
  await Promise.all(clients);
  let [after, stopMs]: [Resources | undefined, number | undefined] = [undefined, undefined];
  if (options.withAftermath && !router.hasEnded) {
    if (pid !== undefined && before !== undefined) {
      const found = await resourceFaults(pid, cells, before);
      after = found.after;
      for (const fault of found.faults) violated({ ...fault, connection: undefined });
    }
    const ended = await stopFaults(router, seed, (id) => witness.hasArrived(id));
    stopMs = ended.stopMs;
    for (const fault of ended.faults) violated({ ...fault, connection: undefined });
    return { ...result, ...transcripts(), death: undefined, peak: await peak, after, stopMs };
  }
  const how = router.howItEnded();
  const death = how === undefined ? undefined : { how, lastLines: router.lastLines(), afterMs };
  return { ...result, ...transcripts(), death, peak: await peak, after, stopMs };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** The most that the router held at one moment. */
async function watchPeak(pid: number | undefined, signal: AbortSignal): Promise<Resources | undefined> {
  let peak: Resources | undefined;
  const look = () => {
    const now = pid === undefined ? undefined : resourcesOf(pid);
    if (now === undefined) return;
    peak = {
      processes: Math.max(peak?.processes ?? 0, now.processes),
      descriptors: Math.max(peak?.descriptors ?? 0, now.descriptors),
      sockets: Math.max(peak?.sockets ?? 0, now.sockets),
      residentBytes: Math.max(peak?.residentBytes ?? 0, now.residentBytes),
    };
  };
  const timer = setInterval(look, 250);
  await aborted(signal);
  clearInterval(timer);
  return peak;
}

function behavioursOf(cells: readonly ChaosCell[]): Map<string, number> {
  const sum = new Map<string, number>();
  for (const { shown } of cells)
    for (const [kind, times] of shown) sum.set(kind, (sum.get(kind) ?? 0) + times);
  return sum;
}

function portOf(url: string): Port {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port || 80) };
}
