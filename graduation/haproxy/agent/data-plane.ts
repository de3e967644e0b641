// Keeps one HAProxy in step with one routing table: takes changes, confirms them by reading back, mends what drifts, and
// starts HAProxy again when it has died. One thing at a time: a look must not see half of a change.

import type { Logger } from "pino";
import { nextDelayMs } from "../../../stages/m4/src/backoff.ts";
import type { Clock } from "../../../stages/m4/src/clock.ts";
import { Mutex } from "../../../stages/m4/src/control-plane/mutex.ts";
import type { RoutingTable } from "../../../stages/m4/src/routing-table.ts";
import { type MapFile, mapEntries, mapFiles } from "../maps.ts";
import { planChange, type RuntimeChange } from "../plan-change.ts";
import { type Drift, driftOf, driftWords, hasDrift } from "./drift.ts";
import type { HaproxyFiles } from "./files.ts";
import { Master } from "./master.ts";
import { RuntimeApi } from "./runtime-api.ts";
import type { ShownEntry } from "./runtime-output.ts";
import { HaproxyRefusal, Worker } from "./worker.ts";

export interface DataPlaneDependencies {
  readonly files: HaproxyFiles;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

/** How the last change came about, for `/debug/config`. */
export interface LastChange {
  readonly by: "runtime" | "reload" | "start" | "found";
  readonly why: readonly string[];
  readonly tookMs: number;
}

/** Pause between two looks. A look at a large map takes time, so the pause grows with it. In milliseconds. */
const lookEveryMs = 1_000;
const aliveEveryMs = 250;
const restartBackoff = { baseMs: 100, capMs: 5_000 };

export class DataPlane {
  readonly #deps: DataPlaneDependencies;
  readonly #lock = new Mutex();
  readonly #worker: Worker;
  readonly #stop = new AbortController();
  #master: Master | undefined;
  #table: RoutingTable | undefined;
  #last: LastChange | undefined;
  #filesAreOld = false;
  #reloads = 0;
  #restarts = 0;
  #mended = 0;
  #watching: Promise<void> = Promise.resolve();

  constructor(dependencies: DataPlaneDependencies) {
    this.#deps = dependencies;
    const { paths, folder } = dependencies.files;
    this.#worker = new Worker(new RuntimeApi(paths.runtimeSocket), folder);
  }

  /** Begins to look after HAProxy. */
  start(): void {
    this.#watching = this.#watch();
  }

  status() {
    return {
      version: this.#table?.version ?? null,
      master: this.#master?.pid ?? null,
      worker: this.#master?.worker ?? null,
      lastChange: this.#last ?? null,
      reloads: this.#reloads,
      restarts: this.#restarts,
      mended: this.#mended,
    };
  }

  /**
   * Makes HAProxy serve `table`. Resolves when HAProxy has confirmed it.
   *
   * @throws HaproxyRefusal with HAProxy's own words; then it serves the table before
   */
  async apply(table: RoutingTable): Promise<void> {
    await this.#lock.take(async () => {
      const startedAtMs = this.#deps.clock.now();
      const { by, why } = await this.#change(table);
      this.#table = table;
      this.#last = { by, why, tookMs: Math.round(this.#deps.clock.now() - startedAtMs) };
    });
  }

  /** Soft stop: what is under way may finish for `drainMs`. */
  async stop(drainMs: number): Promise<void> {
    this.#stop.abort();
    await this.#watching;
    await this.#lock.take(async () => await this.#master?.stop(drainMs));
  }

  async #change(table: RoutingTable): Promise<Pick<LastChange, "by" | "why">> {
    const { files } = this.#deps;
    const running = await this.#running();
    if (running === undefined) return await this.#begin(table);
    if (this.#table === undefined) throw new Error("HAProxy runs, but with which table?");
    const plan = planChange(this.#table, table);
    const why = plan.reload ? plan.why : mixtures(plan.runtime);
    if (plan.reload || why.length > 0) {
      await this.#reload(running, table, this.#table);
      return { by: "reload", why };
    }
    try {
      await this.#carryOut(table, plan.runtime);
    } catch (error) {
      if (!(await running.isRunning())) return await this.#begin(table);
      // What was changed before the refusal goes back. What HAProxy then still holds, the next look mends.
      await this.#mend(this.#table, await this.#look(this.#table)).catch(() => {});
      throw error instanceof HaproxyRefusal ? error : new HaproxyRefusal(String(error));
    }
    await files.write(table).then(
      () => this.#filesWritten(),
      (error: Error) => this.#filesFailed(error),
    );
    return { by: "runtime", why: [] };
  }

  // #region runtime
  /** Carries the changes out, and reads back what HAProxy made of each. */
  async #carryOut(table: RoutingTable, changes: readonly RuntimeChange[]): Promise<void> {
    const worker = this.#worker;
    for (const change of changes) if ("backend" in change) await worker.setServer(change);
    for (const file of mapFiles) {
      const inMap = changes.filter((change) => "file" in change && change.file === file);
      const [first] = inMap;
      if (first === undefined) continue;
      if (inMap.length > 1) await worker.replaceMap(file, mapEntries(table)[file]);
      else if (first.kind === "map-set") await worker.setEntry(file, first.key, first.value);
      else if (first.kind === "map-delete") await worker.deleteEntry(file, first.key);
    }
    const wrong = await this.#unconfirmed(table, changes);
    if (wrong.length > 0) throw new HaproxyRefusal(`HAProxy did not take over ${wrong.join(", ")}`);
  }

  /** One entry is asked for by itself: a whole map of many keys takes long to read. */
  async #unconfirmed(table: RoutingTable, changes: readonly RuntimeChange[]): Promise<string[]> {
    const files = mapFiles.map((file) => changes.filter((each) => "file" in each && each.file === file));
    const single = files.flatMap((each) => (each.length === 1 ? each : []));
    const whole = files.flatMap((each) =>
      each.length > 1 && each[0] && "file" in each[0] ? [each[0].file] : [],
    );
    const wrong: string[] = [];
    for (const change of single) {
      if (!("file" in change)) continue;
      const value = await this.#worker.value(change.file, change.key);
      if (value !== (change.kind === "map-set" ? change.value : undefined))
        wrong.push(`${change.file} ${change.key}`);
    }
    if (whole.length > 0 || changes.some((each) => "backend" in each))
      wrong.push(...driftWords(await this.#look(table, whole)));
    return wrong;
  }
  // #endregion runtime

  // #region reload
  async #reload(master: Master, table: RoutingTable, before: RoutingTable): Promise<void> {
    const { files } = this.#deps;
    await files.check(table);
    try {
      await files.write(table);
      await master.reload();
      await this.#confirm(table);
      this.#reloads += 1;
    } catch (error) {
      // The files of a table that is not in use would be the next start's.
      await files.write(before).then(
        () => this.#filesWritten(),
        (failure: Error) => this.#filesFailed(failure),
      );
      if (await master.isRunning()) await master.reload().catch(() => {});
      throw error instanceof HaproxyRefusal ? error : new HaproxyRefusal(String(error));
    }
    this.#filesWritten();
  }
  // #endregion reload

  // #region begin
  /** Without a HAProxy under this agent: takes over the one that runs, or starts one. */
  async #begin(table: RoutingTable): Promise<Pick<LastChange, "by" | "why">> {
    const { files, clock, logger } = this.#deps;
    const found = await Master.find(files.paths, clock);
    await files.check(table);
    await files.write(table);
    this.#filesWritten();
    if (found === undefined) {
      this.#master = await Master.start(files.paths, clock);
      await this.#confirm(table);
      return { by: "start", why: [] };
    }
    this.#master = found;
    const hasSameFrame = (await found.description()) === files.description(table);
    const drift = hasSameFrame ? await this.#look(table) : undefined;
    const why = drift === undefined ? ["its configuration is another one"] : driftWords(drift);
    logger.info({ event: "haproxy-found", master: found.pid, differs: why });
    if (drift === undefined || drift.missing.length > 0) await found.reload();
    else await this.#mend(table, drift);
    await this.#confirm(table);
    return { by: "found", why };
  }
  // #endregion begin

  // #region watch
  async #watch(): Promise<void> {
    const { clock, logger, random } = this.#deps;
    const signal = this.#stop.signal;
    let failures = 0;
    let nextLookMs = 0;
    while (!signal.aborted) {
      await clock.sleep(aliveEveryMs, signal).catch(() => {});
      if (signal.aborted) return;
      try {
        await this.#lock.take(() => this.#revive());
        failures = 0;
        if (clock.now() < nextLookMs) continue;
        const startedAtMs = clock.now();
        await this.#lock.take(() => this.#compare());
        nextLookMs = clock.now() + Math.max(lookEveryMs, 20 * (clock.now() - startedAtMs));
      } catch (error) {
        logger.error({ event: "haproxy-trouble", cause: messageOf(error) });
        await clock.sleep(nextDelayMs(failures++, random, restartBackoff), signal).catch(() => {});
      }
    }
  }

  async #revive(): Promise<void> {
    if (this.#table === undefined || (await this.#running()) !== undefined) return;
    this.#deps.logger.error({ event: "haproxy-lost" });
    await this.#begin(this.#table);
    this.#restarts += 1;
    this.#deps.logger.warn({ event: "haproxy-restarted", master: this.#master?.pid });
  }

  async #compare(): Promise<void> {
    const { logger, files } = this.#deps;
    if (this.#table === undefined || this.#master === undefined) return;
    if (this.#filesAreOld) {
      await files.write(this.#table);
      this.#filesWritten();
    }
    const drift = await this.#look(this.#table);
    if (!hasDrift(drift)) return;
    if (drift.missing.length > 0) await this.#master.reload();
    else await this.#mend(this.#table, drift);
    this.#mended += 1;
    logger.warn({ event: "haproxy-mended", differed: driftWords(drift) });
  }
  // #endregion watch

  async #running(): Promise<Master | undefined> {
    return this.#master !== undefined && (await this.#master.isRunning()) ? this.#master : undefined;
  }

  async #look(table: RoutingTable, only: readonly MapFile[] = mapFiles): Promise<Drift> {
    const maps = new Map<MapFile, readonly ShownEntry[]>();
    for (const file of only) maps.set(file, await this.#worker.entries(file));
    const drift = driftOf(table, { maps, servers: await this.#worker.servers() });
    return { ...drift, maps: drift.maps.filter((file) => only.includes(file)) };
  }

  async #mend(table: RoutingTable, drift: Drift): Promise<void> {
    const entries = mapEntries(table);
    for (const change of drift.servers) await this.#worker.setServer(change);
    for (const file of drift.maps) await this.#worker.replaceMap(file, entries[file]);
  }

  /** @throws HaproxyRefusal when HAProxy does not hold what the table says */
  async #confirm(table: RoutingTable): Promise<void> {
    const drift = await this.#look(table);
    if (hasDrift(drift))
      throw new HaproxyRefusal(`HAProxy did not take over ${driftWords(drift).join(", ")}`);
  }

  #filesWritten(): void {
    this.#filesAreOld = false;
  }

  /** Traffic has the new table already; only the next start of HAProxy would not. Tried again at the next look. */
  #filesFailed(error: Error): void {
    this.#filesAreOld = true;
    this.#deps.logger.error({ event: "files-not-written", cause: error.message });
  }
}

/** A request reads the keys, then perhaps the default: changed one after the other, it could see one of each table. */
export function mixtures(changes: readonly RuntimeChange[]): string[] {
  const changed = new Set(changes.map((change) => ("file" in change ? change.file : "")));
  const both = changed.has("keys.map") && changed.has("default.map");
  return both ? ["keys and the default change at once: a request could see one of each table"] : [];
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
