// Holds the one current snapshot and swaps it whole. Every part of the router that needs the table reads
// it here, so a later milestone can bring tables from a file or the network without touching the readers.

import type { RoutingTable } from "../../../../stages/m2/src/routing-table.ts";

/** One immutable routing table, numbered in the order in which this process applied it. */
export interface Snapshot {
  /** 1 for the first table that this process applied, then one more for each swap. */
  readonly sequence: number;
  readonly table: RoutingTable;
}

export type SnapshotListener = (next: Snapshot, previous: Snapshot | undefined) => void;

// #region store
export class TableStore {
  #current: Snapshot | undefined;
  readonly #listeners = new Set<SnapshotListener>();

  /** The snapshot to use for one whole request, or undefined before the first table has been applied. */
  current(): Snapshot | undefined {
    return this.#current;
  }

  /**
   * Makes `table` current and tells the subscribers.
   *
   * One assignment: a request reads either the old snapshot or the new one, never a mixture. Requests that
   * are under way keep the snapshot that they read.
   */
  swap(table: RoutingTable): Snapshot {
    const previous = this.#current;
    const next: Snapshot = { sequence: (previous?.sequence ?? 0) + 1, table };
    this.#current = next;
    for (const listener of this.#listeners) listener(next, previous);
    return next;
  }

  /** Calls `listener` after every later swap. Returns the function that ends the subscription. */
  subscribe(listener: SnapshotListener): () => void {
    this.#listeners.add(listener);
    // Nobody should have to wait for the next swap.
    if (this.#current !== undefined) listener(this.#current, undefined);
    return () => void this.#listeners.delete(listener);
  }
}
// #endregion store
