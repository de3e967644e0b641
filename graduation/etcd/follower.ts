// Keeps a control plane in step with the cluster: a watch brings what others have written, and a look once a second finds
// out whether the watch can be believed and whether a majority responds.

import type { Logger } from "pino";
import { type BackoffSettings, nextDelayMs } from "../../stages/m4/src/backoff.ts";
import type { Clock } from "../../stages/m4/src/clock.ts";
import type { Etcd } from "./etcd-client.ts";
import { EtcdError } from "./etcd-error.ts";
import type { Entry, KeyRange } from "./etcd-messages.ts";
import type { EtcdStore } from "./store.ts";

export interface FollowerDependencies {
  readonly client: Etcd;
  readonly store: EtcdStore;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

/**
 * etcd says by itself that a watch without changes is alive, but only every ten minutes. A node that stands still, or is
 * cut off from the others, says nothing at all, and its watch looks like a quiet one. In milliseconds.
 */
const lookMs = 1_000;
const lookBudgetMs = 4_000;

const watchBackoff: BackoffSettings = { baseMs: 100, capMs: 5_000 };

export class Follower {
  readonly #deps: FollowerDependencies;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  /** The keys as the watch has brought them. */
  #brought: KeyRange | undefined;
  #failures = 0;

  constructor(dependencies: FollowerDependencies) {
    this.#deps = dependencies;
  }

  start(): void {
    this.#running = this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  // #region follow
  /** Reads everything, then watches from there; when the watch ends, for whatever reason, once more from the start. */
  async #run(): Promise<void> {
    const { store, clock, random, logger } = this.#deps;
    const signal = this.#stop.signal;
    while (!signal.aborted) {
      let cause: string;
      try {
        const seen = await store.refresh();
        store.faults.noteContent(seen.content);
        store.faults.noteReachable();
        cause = await this.#watch(seen.range);
      } catch (error) {
        if (error instanceof EtcdError && error.isTooLong) store.faults.noteUnread(error);
        if (!(error instanceof EtcdError)) logger.error({ event: "store-fault", cause: String(error) });
        cause = error instanceof Error ? error.message : String(error);
      }
      if (signal.aborted) return;
      const delayMs = Math.round(nextDelayMs(this.#failures, random, watchBackoff));
      this.#failures += 1;
      logger.warn({ event: "store-watch-ended", cause, resyncInMs: delayMs });
      await clock.sleep(delayMs, signal).catch(() => {});
    }
  }

  /** Resolves with the reason when the watch has ended. */
  async #watch(from: KeyRange): Promise<string> {
    const { client, store } = this.#deps;
    this.#brought = from;
    const ended = new AbortController();
    const signal = AbortSignal.any([this.#stop.signal, ended.signal]);
    const looking = this.#look(ended);
    try {
      for await (const message of client.watch(from.revision + 1, signal)) {
        switch (message.kind) {
          case "created":
          case "progress":
            this.#failures = 0;
            break;
          case "changes":
            this.#brought = withChanges(this.#brought, message.revision, message.changes);
            if (!store.observe(this.#brought)) return "the cluster is in an epoch that does not follow";
            break;
          case "cancelled":
            // All that was missed is in what is read next.
            return message.compactRevision > 0
              ? `etcd has compacted everything before revision ${message.compactRevision}`
              : `etcd has cancelled it: ${message.reason}`;
          default:
            message satisfies never;
        }
      }
      return "etcd has ended it";
    } finally {
      ended.abort();
      await looking;
    }
  }
  // #endregion follow

  // #region look
  /** Aborts `watch` when the cluster has had something newer for a whole pause. Never rejects. */
  async #look(watch: AbortController): Promise<void> {
    const { client, clock, store } = this.#deps;
    const signal = AbortSignal.any([this.#stop.signal, watch.signal]);
    let missed = 0;
    for (;;) {
      await clock.sleep(lookMs, signal).catch(() => {});
      if (signal.aborted) return;
      if (missed > newest(this.#brought))
        return watch.abort(new EtcdError("unclear", "the watch is behind the cluster"));
      try {
        const range = await client.read(lookBudgetMs, { keysOnly: true });
        missed = newest(range);
        store.faults.noteReachable();
        if (store.witnesses.areWaiting) await store.refresh();
      } catch (error) {
        // The watch goes on: it may be alive although no majority is.
        if (!signal.aborted) store.faults.noteUnreachable(error);
      }
    }
  }
  // #endregion look
}

function withChanges(
  range: KeyRange,
  revision: number,
  changes: ReadonlyMap<string, Entry | undefined>,
): KeyRange {
  const entries = new Map(range.entries);
  for (const [name, entry] of changes) {
    if (entry === undefined) entries.delete(name);
    else entries.set(name, entry);
  }
  return { ...range, revision, entries };
}

/** The last revision that wrote one of the keys. */
function newest(range: KeyRange | undefined): number {
  return Math.max(0, ...[...(range?.entries.values() ?? [])].map(({ modRevision }) => modRevision));
}
