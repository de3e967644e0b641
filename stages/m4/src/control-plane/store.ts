// The routing table's one true copy: the file `routing.json`, and beside it, in the state folder, the place in history
// that the file's content has. Owns validation before a change, the order of writes, and when a new epoch begins.

import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { checksumOf } from "../checksum.ts";
import type { Position } from "../protocol.ts";
import type { Store } from "./any-store.ts";
import { systemDisk } from "./disk.ts";
import { afterLoss, isLostHistory, nextRevision, resumedHistory } from "./history.ts";
import { HistoryFile } from "./history-file.ts";
import { Mutex } from "./mutex.ts";
import { messageOf, RoutingFile } from "./routing-file.ts";
import type { RoutingStoreDependencies } from "./store-dependencies.ts";
import { StoreFaults } from "./store-faults.ts";
import { StoreError } from "./store-lock.ts";
import { type Change, etagOf, readDocument, type Stored, storedOf, type ValidDocument } from "./stored.ts";
import { failedWrite, type WriteResult } from "./write-result.ts";

/** A file may be this many times as large as its message: people indent. */
const maxIndentation = 8;
/** Writes that wait for their turn. Each keeps its body in memory. */
const maxWaiting = 256;

export class RoutingStore implements Store {
  readonly #deps: RoutingStoreDependencies;
  readonly #file: RoutingFile;
  readonly #history: HistoryFile;
  readonly #faults: StoreFaults;
  #current: Stored;
  /** What the file held last, and what was wrong with it. */
  #looked: { readonly bytes: Buffer; readonly faults: readonly string[] } | undefined;
  readonly #mutex = new Mutex();

  private constructor(
    dependencies: RoutingStoreDependencies,
    file: RoutingFile,
    history: HistoryFile,
    first: Stored,
  ) {
    this.#deps = dependencies;
    this.#file = file;
    this.#history = history;
    this.#current = first;
    this.#faults = new StoreFaults(dependencies.onFault);
  }

  // #region open
  /**
   * Reads the file and finds its place in history.
   * @throws StoreError when there is no valid routing file
   */
  static async open(dependencies: RoutingStoreDependencies): Promise<RoutingStore> {
    const { path, historyPath, newEpoch, maxMessageBytes, onFault, disk = systemDisk } = dependencies;
    const onKept = (kept: string) => onFault(new StoreError(`An edit met a write and is kept in ${kept}`));
    const file = new RoutingFile(path, disk, maxMessageBytes * maxIndentation, onKept);
    const historyFile = new HistoryFile(historyPath, disk, dependencies.assertOwner);
    await mkdir(dirname(historyPath), { recursive: true, mode: 0o700 });
    try {
      await file.recover();
      const bytes = await file.read();
      if (bytes === undefined) throw new StoreError("(file): ENOENT: there is none");
      const read = readDocument(bytes);
      if (!read.ok) throw new StoreError(read.faults.join("\n"));
      const checksum = checksumOf(read.document);
      const known = await historyFile.read();
      const history = resumedHistory(known, checksum, newEpoch);
      const first = storedOf(read, history);
      if (first.frame.length > maxMessageBytes) throw new StoreError(`larger than ${maxMessageBytes} bytes`);
      if (history !== known) await historyFile.write(history);
      return new RoutingStore(dependencies, file, historyFile, first);
    } catch (error) {
      throw new StoreError(`Cannot start: ${path}: ${messageOf(error)}`, { cause: error });
    }
  }
  // #endregion open

  current(): Stored {
    return this.#current;
  }

  /** Why the file's present content is not the current revision, or why nothing can be written; null when all is well. */
  lastError(): string | null {
    return this.#faults.words();
  }

  // #region write
  /**
   * Changes the table if `matches` accepts the entity tag of what is current by then. The new revision is recorded before
   * the document takes its place, and both are on disk before anybody hears of it: after a crash in between, a revision
   * may be missing, and none that a router has seen is ever given to other content. A failing disk never makes it reject.
   */
  write(change: Change, matches: (etag: string) => boolean): Promise<WriteResult> {
    if (this.#mutex.waiting >= maxWaiting) return Promise.resolve({ kind: "busy" });
    const written = this.#mutex.take(() => this.#write(change, matches));
    return written.catch((error: unknown) => {
      this.#faults.note("disk", messageOf(error));
      return failedWrite(error);
    });
  }

  async #write(change: Change, matches: (etag: string) => boolean): Promise<WriteResult> {
    // An edit by hand that nobody has noticed yet comes first: overwritten, it would be silently lost.
    const faults = await this.#takeOver();
    if (faults.length > 0) return { kind: "edited", faults };
    const stored = this.#current;
    if (!matches(etagOf(stored.history))) return { kind: "conflict", stored };
    const changed = change(stored.document);
    if (changed === undefined) return { kind: "unknown-key" };
    if (!changed.ok) return { kind: "invalid", faults: changed.faults };
    const next = this.#nextOf(changed);
    if (next === undefined) return { kind: "stored", stored };
    if (next.frame.length > this.#deps.maxMessageBytes) return { kind: "too-large" };
    const text = `${JSON.stringify(next.document, null, 2)}\n`;
    const isWritten = await this.#file.replace(text, async () => {
      await this.#history.write(next.history);
      this.#deps.assertOwner();
    });
    if (!isWritten) {
      // Somebody was a moment faster.
      const missed = await this.#takeOver();
      return missed.length > 0
        ? { kind: "edited", faults: missed }
        : { kind: "conflict", stored: this.#current };
    }
    this.#publish(next, "written through the API");
    this.#looked = { bytes: Buffer.from(text), faults: [] };
    this.#faults.end("file");
    this.#faults.end("disk");
    return { kind: "stored", stored: this.#current };
  }
  // #endregion write

  /** Takes over what somebody has written into the file. Invalid content changes nothing, and is reported. Never rejects. */
  reread(): Promise<void> {
    return this.#mutex
      .take(async () => {
        this.#deps.assertOwner();
        await this.#takeOver();
        // A write that failed may have recorded a revision that never came to be; and whether the disk takes anything again
        // is found out in no other way.
        const { history } = this.#current;
        if (!this.#history.holds(history) || this.#faults.has("disk")) await this.#history.write(history);
        this.#faults.rest("disk");
      })
      .catch((error: Error) => this.#faults.note("disk", messageOf(error)));
  }

  // #region new-epoch
  /** Begins a new epoch if what a router has shows that this store lost a part of its history. Never rejects. */
  renewEpoch(have: Position): Promise<void> {
    return this.#mutex
      .take(async () => {
        const { history } = this.#current;
        // Many routers come at once with the same proof: the first one's has already had its effect.
        if (!isLostHistory(history, have)) return;
        const next = storedOf(this.#current, afterLoss(history, have, this.#deps.newEpoch));
        await this.#history.write(next.history);
        this.#publish(next, `a router has revision ${have.revision} of a lost history`);
      })
      .catch((error: Error) => this.#faults.note("disk", messageOf(error)));
  }
  // #endregion new-epoch

  /** Resolves when the changes under way are done. */
  async close(): Promise<void> {
    await this.#mutex.ended();
  }

  /** Makes the file's content the current revision; returns why it cannot be. @throws Error when the disk refuses */
  async #takeOver(): Promise<readonly string[]> {
    const bytes = await this.#file.read();
    if (bytes === undefined) {
      this.#faults.note("file", "(file): ENOENT: there is none");
      return [];
    }
    if (!this.#looked?.bytes.equals(bytes))
      this.#looked = { bytes, faults: await this.#takeOverBytes(bytes) };
    const { faults } = this.#looked;
    if (faults.length === 0) this.#faults.end("file");
    else this.#faults.note("file", faults.join("\n"));
    return faults;
  }

  async #takeOverBytes(bytes: Buffer): Promise<readonly string[]> {
    const read = readDocument(bytes);
    if (!read.ok) return read.faults;
    const next = this.#nextOf(read);
    if (next === undefined) return [];
    if (next.frame.length > this.#deps.maxMessageBytes) return ["(file): too large"];
    await this.#history.write(next.history);
    this.#publish(next, "the file was edited");
    return [];
  }

  #nextOf(valid: ValidDocument): Stored | undefined {
    const { history } = this.#current;
    const checksum = checksumOf(valid.document);
    if (checksum === history.checksum) return undefined;
    return storedOf(valid, nextRevision(history, checksum, this.#deps.newEpoch));
  }

  #publish(next: Stored, why: string): void {
    this.#current = next;
    this.#looked = undefined;
    this.#deps.onPublish(next, why);
  }
}
