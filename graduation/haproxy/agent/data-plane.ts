// Keeps one HAProxy in step with one routing table: takes changes, confirms them by reading back, mends what drifts, and
// starts HAProxy again when it has died. One thing at a time: a look must not see half of a change.

import type { Logger } from "pino";
import type { Clock } from "../../../stages/m4/src/clock.ts";
import { Mutex } from "../../../stages/m4/src/control-plane/mutex.ts";
import type { RoutingTable } from "../../../stages/m4/src/routing-table.ts";
import { planChange } from "../plan-change.ts";
import { carryOut, confirm, look, mend } from "./changes.ts";
import { driftWords, hasDrift, needsReload } from "./drift.ts";
import type { HaproxyFiles } from "./files.ts";
import { Master } from "./master.ts";
import { guardOldWorkers } from "./old-workers.ts";
import { RuntimeApi } from "./runtime-api.ts";
import { watch } from "./watch.ts";
import { Worker } from "./worker.ts";

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

export class DataPlane {
  readonly #deps: DataPlaneDependencies;
  readonly #lock = new Mutex();
  readonly #worker: Worker;
  readonly #stop = new AbortController();
  #master: Master | undefined;
  #table: RoutingTable | undefined;
  #last: LastChange | undefined;
  #reloads = 0;
  #restarts = 0;
  #mended = 0;
  #filesFault: string | null = null;
  #watching: Promise<void> = Promise.resolve();

  constructor(dependencies: DataPlaneDependencies) {
    this.#deps = dependencies;
    const { paths, folder } = dependencies.files;
    this.#worker = new Worker(new RuntimeApi(paths.runtimeSocket), folder);
  }

  /** Begins to look after HAProxy. */
  start(): void {
    const { clock, logger, random } = this.#deps;
    const revive = () => this.#lock.take(() => this.#revive());
    const compare = () => this.#lock.take(() => this.#compare());
    this.#watching = watch({ revive, compare, clock, logger, random }, this.#stop.signal);
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
      filesFault: this.#filesFault,
    };
  }

  /**
   * Makes HAProxy serve `table`. Resolves when HAProxy has confirmed it, and its old workers reach nobody's cell but their own.
   *
   * @throws HaproxyRefusal with HAProxy's own words; then it serves the table before. Any other error is of the moment (a full
   *         disk, a HAProxy that says nothing): the same table may be applied later
   */
  async apply(table: RoutingTable): Promise<void> {
    await this.#lock.take(async () => {
      const startedAtMs = this.#deps.clock.now();
      const { by, why } = await this.#change(table);
      this.#table = table;
      this.#last = { by, why, tookMs: Math.round(this.#deps.clock.now() - startedAtMs) };
      await this.#guard(table);
    });
  }

  /** Soft stop: what is under way may finish for `drainMs`. */
  async stop(drainMs: number): Promise<void> {
    this.#stop.abort();
    await this.#watching;
    await this.#lock.take(async () => await this.#master?.stop(drainMs));
  }

  async #change(table: RoutingTable): Promise<Pick<LastChange, "by" | "why">> {
    const running = await this.#running();
    if (running === undefined || this.#table === undefined) return await this.#begin(table);
    const plan = planChange(this.#table, table);
    if (plan.reload) {
      await this.#reload(running, table, this.#table);
      return { by: "reload", why: plan.why };
    }
    try {
      await carryOut(this.#worker, table, plan.runtime);
    } catch (error) {
      if (!(await running.isRunning())) return await this.#begin(table);
      // What was changed before the refusal goes back. What HAProxy then still holds, the next look mends.
      await this.#mendTo(this.#table).catch(() => {});
      throw error;
    }
    await this.#writeFiles(table);
    return { by: "runtime", why: [] };
  }

  // #region reload
  async #reload(master: Master, table: RoutingTable, before: RoutingTable): Promise<void> {
    const { files } = this.#deps;
    await files.check(table);
    try {
      await files.write(table);
      await master.reload();
      await confirm(this.#worker, table);
      this.#reloads += 1;
    } catch (error) {
      // The files of a table that is not in use would be the next start's.
      await this.#writeFiles(before);
      if (await master.isRunning()) await master.reload().catch(() => {});
      throw error;
    }
  }
  // #endregion reload

  // #region begin
  /** Without a HAProxy under this agent: takes over the one that runs, or starts one. */
  async #begin(table: RoutingTable): Promise<Pick<LastChange, "by" | "why">> {
    const { files, clock, logger } = this.#deps;
    const found = await Master.find(files.paths, clock);
    await files.check(table);
    await files.write(table);
    if (found === undefined) {
      this.#master = await Master.start(files.paths, clock);
      await confirm(this.#worker, table);
      return { by: "start", why: [] };
    }
    this.#master = found;
    const hasSameFrame = (await found.description()) === files.description(table);
    const drift = hasSameFrame ? await look(this.#worker, table) : undefined;
    const why = drift === undefined ? ["its configuration is another one"] : driftWords(drift);
    logger.info({ event: "haproxy-found", master: found.pid, differs: why });
    if (drift === undefined || needsReload(drift)) await found.reload();
    else await mend(this.#worker, table, drift);
    await confirm(this.#worker, table);
    return { by: "found", why };
  }
  // #endregion begin

  async #revive(): Promise<void> {
    if (this.#table === undefined || (await this.#running()) !== undefined) return;
    this.#deps.logger.error({ event: "haproxy-lost" });
    await this.#begin(this.#table);
    this.#restarts += 1;
    this.#deps.logger.warn({ event: "haproxy-restarted", master: this.#master?.pid });
  }

  async #compare(): Promise<void> {
    const { logger } = this.#deps;
    if (this.#table === undefined || this.#master === undefined) return;
    const drift = await look(this.#worker, this.#table);
    // Whoever reloads HAProxy next, or starts it, begins with them.
    const hasFiles = await this.#writeFiles(this.#table);
    if (needsReload(drift) && hasFiles) {
      await this.#master.reload();
      await this.#guard(this.#table);
    } else {
      await mend(this.#worker, this.#table, drift);
      // Without its files, a reload would bring something else. The next look tries again.
      if (drift.wrong.length > 0) return;
    }
    if (!hasDrift(drift)) return;
    this.#mended += 1;
    logger.warn({ event: "haproxy-mended", differed: driftWords(drift) });
  }

  async #guard(table: RoutingTable): Promise<void> {
    const { paths, folder } = this.#deps.files;
    await guardOldWorkers(paths, folder, table);
  }

  async #running(): Promise<Master | undefined> {
    return this.#master !== undefined && (await this.#master.isRunning()) ? this.#master : undefined;
  }

  async #mendTo(table: RoutingTable): Promise<void> {
    await mend(this.#worker, table, await look(this.#worker, table));
  }

  /** Whether they hold the table. Traffic may go on without them; only the next start of HAProxy cannot. Each look tries again. */
  async #writeFiles(table: RoutingTable): Promise<boolean> {
    const { files, logger } = this.#deps;
    const before = this.#filesFault;
    this.#filesFault = await files.write(table).then(
      () => null,
      (error: Error) => error.message,
    );
    // Once, and not with each look.
    if (this.#filesFault !== null && this.#filesFault !== before)
      logger.error({ event: "files-not-written", cause: this.#filesFault });
    if (this.#filesFault === null && before !== null) logger.info({ event: "files-written" });
    return this.#filesFault === null;
  }
}
