// What the store is given: where it keeps its two files, and whom it tells.

import type { Disk } from "./disk.ts";
import type { Stored } from "./stored.ts";

export interface RoutingStoreDependencies {
  /** The routing file. */
  readonly path: string;
  /** Where epoch and revision are kept. */
  readonly historyPath: string;
  /** A snapshot that would be larger on the wire is refused. */
  readonly maxMessageBytes: number;
  readonly newEpoch: () => string;
  /** Throws when another process may own this store. Called before each step that counts. */
  readonly assertOwner: () => void;
  /** Told of every new revision, after it is on disk. */
  readonly onPublish: (stored: Stored, why: string) => void;
  /** Told why the file's content was not taken over, or what could not be written: once, until the reason changes. */
  readonly onFault: (error: Error) => void;
  /** @default the system's */
  readonly disk?: Disk;
}
