// The routing table's one true copy in an etcd cluster, shared by several control planes: the Store of a stage's control
// plane, with a majority of nodes in the place of a disk. Owns what may be answered from memory and what may not:
// reads may, decisions about a write may not.

import { checksumOf } from "../../stages/m4/src/checksum.ts";
import type { Store } from "../../stages/m4/src/control-plane/any-store.ts";
import { type Change, etagOf, type Stored } from "../../stages/m4/src/control-plane/stored.ts";
import type { WriteResult } from "../../stages/m4/src/control-plane/write-result.ts";
import type { Position } from "../../stages/m4/src/protocol.ts";
import { compareAndSwap, withPuts } from "./compare-and-swap.ts";
import { isLater, nextEpochRecord, reasonForNewEpoch, type Seen, understand } from "./epoch.ts";
import { EtcdError } from "./etcd-error.ts";
import type { KeyRange } from "./etcd-messages.ts";
import { lastValid } from "./last-valid.ts";
import { replacesAll } from "./replaces-all.ts";
import type { EtcdStoreDependencies } from "./store-dependencies.ts";
import { EtcdFaults } from "./store-faults.ts";
import { Witnesses } from "./witnesses.ts";

/** Time to find a majority, in milliseconds: an election of a new leader takes one to three seconds. */
const readBudgetMs = 4_000;
const writeBudgetMs = 6_000;
/** One is enough, unless others write in the same moment. */
const maxEpochSwaps = 8;

export class EtcdStore implements Store {
  readonly #deps: EtcdStoreDependencies;
  readonly faults: EtcdFaults;
  /** What routers have that this store cannot account for. */
  readonly witnesses = new Witnesses();
  #current: Stored;
  #seen: Seen;
  #proving: Promise<void> | undefined;

  private constructor(dependencies: EtcdStoreDependencies, seen: Seen, first: Stored) {
    this.#deps = dependencies;
    this.faults = new EtcdFaults(dependencies.tableKey, dependencies.onFault);
    this.#seen = seen;
    this.#current = first;
  }

  // #region open
  /**
   * Reads the table; puts `seed` there if the cluster has none. Of several control planes that start at once, one does it.
   * @throws Error when no majority responds within `budgetMs`, or etcd has no valid table, and no older one
   */
  static async open(
    dependencies: EtcdStoreDependencies,
    seed: () => Promise<string>,
    budgetMs: number,
  ): Promise<EtcdStore> {
    const { client, newEpoch } = dependencies;
    let range = await client.read(budgetMs);
    for (;;) {
      const seen = understand(range);
      if (seen.content.kind === "invalid") {
        const last = await lastValid(range, seen.content.faults, dependencies, budgetMs);
        return new EtcdStore(dependencies, last.seen, last.stored);
      }
      if (seen.stored !== undefined && reasonForNewEpoch(seen, []) === undefined)
        return new EtcdStore(dependencies, seen, seen.stored);
      const epoch = JSON.stringify(nextEpochRecord(seen, [], newEpoch));
      const puts = seen.content.kind === "absent" ? { epoch, table: await seed() } : { epoch };
      const swap = await compareAndSwap(range, puts, budgetMs, dependencies);
      if (swap.kind === "failed" || swap.kind === "unknown") throw swap.error;
      range = swap.now;
    }
  }
  // #endregion open

  current(): Stored {
    return this.#current;
  }

  lastError(): string | null {
    return this.faults.words();
  }

  // #region write
  /**
   * Reads the table from a majority, decides, and writes it if nobody has written meanwhile. What is "stored" a majority
   * has on disk. Where that is not known in time, the result says so.
   */
  async write(change: Change, matches: (etag: string) => boolean): Promise<WriteResult> {
    try {
      return await this.#write(change, matches);
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      if (error.isTooLarge) return { kind: "too-large" };
      return { kind: "unwritable", cause: this.faults.noteFailedWrite(error) };
    }
  }

  async #write(change: Change, matches: (etag: string) => boolean): Promise<WriteResult> {
    const { clock, maxMessageBytes } = this.#deps;
    const endMs = clock.now() + readBudgetMs + writeBudgetMs;
    let seen = await this.refresh();
    while (clock.now() < endMs) {
      // Without the key, which somebody has deleted, memory is what there is to change.
      const stored = seen.stored ?? this.#current;
      if (!matches(etagOf(stored.history))) return { kind: "conflict", stored };
      // What somebody put there by mistake may be replaced, but not mended key by key.
      if (seen.content.kind === "invalid" && !replacesAll(change))
        return { kind: "unwritable", cause: this.faults.noteInvalid(seen.content.faults) };
      const changed = change(stored.document);
      if (changed === undefined) return { kind: "unknown-key" };
      if (!changed.ok) return { kind: "invalid", faults: changed.faults };
      const isSame = checksumOf(changed.document) === stored.history.checksum;
      if (isSame && seen.stored !== undefined) return { kind: "stored", stored };
      const table = JSON.stringify(changed.document);
      if (Buffer.byteLength(table) > maxMessageBytes) return { kind: "too-large" };
      // From before the write: what becomes current meanwhile may be later than what the write finds.
      const witness = this.#current.history;
      const swap = await compareAndSwap(seen.range, { table }, writeBudgetMs, this.#deps);
      switch (swap.kind) {
        case "done":
          return { kind: "stored", stored: this.#written(seen, table, swap) };
        case "beaten":
          // `If-Match: *` accepts what the other one wrote; any other tag ends in a conflict.
          seen = await this.#settle(swap.now, [witness]);
          break;
        case "failed":
          throw swap.error;
        case "unknown":
          return { kind: "unknown", cause: this.faults.noteUnconfirmed(swap.error) };
        default:
          return swap satisfies never;
      }
    }
    return { kind: "busy" };
  }
  // #endregion write

  /** What a write has made current, published: nobody has to wait for the watch to bring it back. */
  #written(base: Seen, table: string, { revision, now }: { revision: number; now: KeyRange }): Stored {
    const own = understand(withPuts(base.range, { table }, revision), this.#seen);
    this.#take(own, "written through this control plane");
    this.#take(understand(now, this.#seen), "read from the cluster");
    // The table was valid before it was written.
    return own.stored ?? this.#current;
  }

  // #region refresh
  /** The table as a majority has it now. Whoever has seen more is a witness of lost history. @throws EtcdError */
  async refresh(): Promise<Seen> {
    // From before the read: what becomes current meanwhile may be later than what the read shows.
    const witnesses = [this.#current.history, ...this.witnesses.all()];
    const range = await this.#deps.client.read(readBudgetMs);
    return await this.#settle(range, witnesses);
  }

  /** Begins a new epoch if there is a reason, and takes what there is. @throws EtcdError */
  async #settle(range: KeyRange, witnesses: readonly Position[]): Promise<Seen> {
    for (let swaps = 0; swaps < maxEpochSwaps; swaps++) {
      const seen = understand(range, this.#seen);
      const why = reasonForNewEpoch(seen, witnesses);
      if (why === undefined) {
        this.witnesses.dismiss(witnesses);
        this.#take(seen, "read from the cluster");
        return seen;
      }
      const epoch = JSON.stringify(nextEpochRecord(seen, witnesses, this.#deps.newEpoch));
      const swap = await compareAndSwap(range, { epoch }, writeBudgetMs, this.#deps);
      if (swap.kind === "failed" || swap.kind === "unknown") throw swap.error;
      range = swap.now;
      if (swap.kind === "done") this.#take(understand(range, this.#seen), `a new epoch: ${why}`);
    }
    throw new EtcdError("unclear", "others change the epoch all the time");
  }
  // #endregion refresh

  /** Takes what a watch has brought. False when it does not follow from what is known: then the cluster must be asked. */
  observe(range: KeyRange): boolean {
    const seen = understand(range, this.#seen);
    this.faults.noteContent(seen.content);
    this.#take(seen, "brought by the watch");
    const { history } = this.#current;
    return (
      seen.epoch !== undefined &&
      (seen.epoch.epoch === history.epoch || history.formerEpochs.includes(seen.epoch.epoch))
    );
  }

  /** Responses overtake one another; an older one changes nothing. */
  #take(seen: Seen, why: string): void {
    if (seen.stored === undefined) return;
    if (!isLater(seen.stored.history, this.#current.history)) return;
    this.#seen = seen;
    this.#current = seen.stored;
    this.#deps.onPublish(seen.stored, why);
  }

  // #region new-epoch
  /**
   * A router may have a later revision only because another control plane was faster to tell it. So the cluster is asked
   * first; many routers that come at once share one question.
   */
  async renewEpoch(have: Position): Promise<void> {
    this.witnesses.add(have);
    this.#proving ??= this.#hearWitnesses().finally(() => {
      this.#proving = undefined;
    });
    await this.#proving;
  }

  async #hearWitnesses(): Promise<void> {
    try {
      while (this.witnesses.areWaiting) await this.refresh();
    } catch (error) {
      // They stay; who follows the cluster asks again.
      this.faults.noteUnread(error);
    }
  }
  // #endregion new-epoch

  async close(): Promise<void> {
    await this.#proving;
    await this.#deps.client.close();
  }
}
