// What the control plane asks of the place that keeps the routing table, so that it need not be a file: `store.ts` is one
// such place, and a cluster of several machines can be another (`graduation/etcd`).

import type { Logger } from "pino";
import type { Position } from "../protocol.ts";
import type { ControlPlaneSettings } from "./settings.ts";
import type { Change, Stored } from "./stored.ts";
import type { WriteResult } from "./write-result.ts";

export interface Store {
  /** From memory. Valid, and stored already. */
  current(): Stored;
  /** Why this is not the newest content, or why nothing can be written; null when all is well. */
  lastError(): string | null;
  /**
   * Changes the table if `matches` accepts the entity tag of what is current by then. Resolves with "stored" only when a
   * crash cannot take the change away any more. Never rejects because the disk or the cluster fails.
   */
  write(change: Change, matches: (etag: string) => boolean): Promise<WriteResult>;
  /** Begins a new epoch if what a router has shows that a part of the history was lost. Never rejects. */
  renewEpoch(have: Position): Promise<void>;
  /** Resolves when the changes under way are done. */
  close(): Promise<void>;
}

/** What a store is opened with, and whom it tells. */
export interface StoreUser {
  readonly settings: ControlPlaneSettings;
  readonly logger: Logger;
  /** Told of every new current revision, after it is kept. */
  readonly onPublish: (stored: Stored, why: string) => void;
  /** This process may not go on with this store: another one owns it. */
  readonly onLost: () => void;
}

export interface OpenedStore {
  readonly store: Store;
  /** Begins to notice what others change. */
  readonly follow: () => void;
  /** Ends what `follow` began, and the store. */
  readonly close: () => Promise<unknown>;
}

/** @throws Error that says what to change when the store cannot be used */
export type OpenStore = (user: StoreUser) => Promise<OpenedStore>;
