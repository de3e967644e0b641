// The routing table's one true copy: the file `routing.json`, and beside it, in the state folder, the place in history
// that the file's content has. Owns validation before a change, the order of writes, and when a new epoch begins.

import { readFile } from "node:fs/promises";
import { checksumOf } from "../checksum.ts";
import { encodeSnapshot, type Position } from "../protocol.ts";
import { parseRoutingTable, type RoutingDocument, type RoutingTable } from "../routing-table.ts";
import { decodeTable } from "../table-decoder.ts";
import { writeDurably } from "./durable-write.ts";

import { afterLoss, type History, isLostHistory, nextRevision, resumedHistory } from "./history.ts";
import { readHistory, writeHistory } from "./history-file.ts";
import type { Published } from "./router-link.ts";

/** One revision: valid, on disk, and encoded for the wire. Never edited. */
export interface Stored extends Published {
  readonly document: RoutingDocument;
  readonly table: RoutingTable;
}

/** What becomes of the document; undefined when there is no such key to change. */
export type Change = (document: RoutingDocument) => unknown;

export type WriteResult =
  | { readonly kind: "stored"; readonly stored: Stored }
  | { readonly kind: "conflict"; readonly stored: Stored }
  | { readonly kind: "invalid"; readonly faults: readonly string[] }
  | { readonly kind: "unknown-key" }
  | { readonly kind: "too-large" };

export interface RoutingStoreDependencies {
  /** The routing file. */
  readonly path: string;
  /** Where epoch and revision are kept. */
  readonly historyPath: string;
  /** A snapshot that would be larger on the wire is refused. */
  readonly maxMessageBytes: number;
  readonly newEpoch: () => string;
  /** Told of every new revision, after it is on disk. */
  readonly onPublish: (stored: Stored, why: string) => void;
  /** Told why the file's content was not taken over, or why a new epoch could not begin. */
  readonly onFault: (error: Error) => void;
}

/** The store cannot start: the message says what to change. */
export class StoreError extends Error {
  override readonly name = "StoreError";
}

export class RoutingStore {
  readonly #deps: RoutingStoreDependencies;
  #current: Stored;
  #lastError: string | null = null;
  /** The file's content when it was last in step with the current revision. */
  #bytes: Buffer | undefined;
  /** Changes happen one after the other: each sees the one before it. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(dependencies: RoutingStoreDependencies, first: Stored) {
    this.#deps = dependencies;
    this.#current = first;
  }

  // #region open
  /**
   * Reads the file and finds its place in history.
   * @throws StoreError when there is no valid routing file
   */
  static async open(dependencies: RoutingStoreDependencies): Promise<RoutingStore> {
    const { path, historyPath, newEpoch, maxMessageBytes } = dependencies;
    const read = readDocument(await readFile(path).catch((error: Error) => error));
    if (!read.ok) throw new StoreError(`Cannot start: ${path}: ${read.faults.join("\n")}`);
    const checksum = checksumOf(read.document);
    const known = await readHistory(historyPath);
    const history = resumedHistory(known, checksum, newEpoch);
    if (history !== known) await writeHistory(historyPath, history);
    const first = storedOf(read, history);
    if (first.frame.length > maxMessageBytes)
      throw new StoreError(`Cannot start: ${path}: larger than ${maxMessageBytes} bytes`);
    return new RoutingStore(dependencies, first);
  }
  // #endregion open

  current(): Stored {
    return this.#current;
  }

  /** Why the file's present content is not the current revision, or null. */
  lastError(): string | null {
    return this.#lastError;
  }

  // #region write
  /**
   * Changes the table if `matches` accepts the entity tag of what is current by then. The document is on disk before
   * its history is, and the history before anybody hears of it: after a crash in between, the content is found changed
   * and becomes the next revision, and no revision that a router has seen is ever given to other content.
   */
  write(change: Change, matches: (etag: string) => boolean): Promise<WriteResult> {
    return this.#exclusively(async () => {
      // An edit by hand that nobody has noticed yet comes first: written over, it would be gone without a word.
      await this.#takeOver().catch((error: Error) => this.#fail(error));
      const stored = this.#current;
      if (!matches(etagOf(stored.history))) return { kind: "conflict", stored };
      const document = change(stored.document);
      if (document === undefined) return { kind: "unknown-key" };
      const parsed = parseRoutingTable(document);
      if (!parsed.ok) return { kind: "invalid", faults: parsed.faults };
      const valid = { document: document as RoutingDocument, table: parsed.table };
      const next = this.#nextOf(valid);
      if (next === undefined) return { kind: "stored", stored };
      if (next.frame.length > this.#deps.maxMessageBytes) return { kind: "too-large" };
      const text = `${JSON.stringify(document, null, 2)}\n`;
      await writeDurably(this.#deps.path, text);
      await this.#publish(next, "written through the API");
      this.#bytes = Buffer.from(text);
      return { kind: "stored", stored: next };
    });
  }
  // #endregion write

  /** Takes over what somebody has written into the file. Invalid content changes nothing, and is told. Never rejects. */
  reread(): Promise<void> {
    return this.#exclusively(() => this.#takeOver()).catch((error: Error) => this.#fail(error));
  }

  // #region new-epoch
  /** Begins a new epoch if what a router has shows that this store lost a part of its history. Never rejects. */
  renewEpoch(have: Position): Promise<void> {
    return this.#exclusively(async () => {
      const { history } = this.#current;
      // Many routers come at once with the same proof: the first one's has been acted upon.
      if (!isLostHistory(history, have)) return;
      const next = storedOf(this.#current, afterLoss(history, have, this.#deps.newEpoch));
      await this.#publish(next, `a router has revision ${have.revision} of a lost history`);
    }).catch((error: Error) => this.#fail(error));
  }
  // #endregion new-epoch

  /** Resolves when the changes under way are done. */
  async close(): Promise<void> {
    await this.#last;
  }

  /** @throws Error when the file's content is not valid, or there is none */
  async #takeOver(): Promise<void> {
    const bytes = await readFile(this.#deps.path);
    if (this.#bytes?.equals(bytes)) {
      this.#lastError = null;
      return;
    }
    const read = readDocument(bytes);
    if (!read.ok) throw new StoreError(read.faults.join("\n"));
    const next = this.#nextOf(read);
    if (next !== undefined && next.frame.length > this.#deps.maxMessageBytes)
      throw new StoreError("(file): too large");
    if (next !== undefined) await this.#publish(next, "the file was edited");
    this.#bytes = bytes;
    this.#lastError = null;
  }

  #nextOf(valid: ValidDocument): Stored | undefined {
    const { history } = this.#current;
    const checksum = checksumOf(valid.document);
    if (checksum === history.checksum) return undefined;
    return storedOf(valid, nextRevision(history, checksum));
  }

  async #publish(next: Stored, why: string): Promise<void> {
    await writeHistory(this.#deps.historyPath, next.history);
    this.#current = next;
    this.#bytes = undefined;
    this.#lastError = null;
    this.#deps.onPublish(next, why);
  }

  #exclusively<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last.then(task);
    this.#last = result.catch(() => {});
    return result;
  }

  #fail(error: Error): void {
    // The same fault is found again with every look at the file; it is told once.
    if (error.message === this.#lastError) return;
    this.#lastError = error.message;
    this.#deps.onFault(error);
  }
}

/** A strong entity tag: one revision, one content. */
export function etagOf({ epoch, revision }: Position): string {
  return `"${epoch}.${revision}"`;
}

// #region changes
export function replaceDocument(document: unknown): Change {
  return () => document;
}

export function setKey(key: string, placement: string): Change {
  // A computed property makes an own one, even of `__proto__`.
  return (document) => ({ ...document, routingTable: { ...document.routingTable, [key]: placement } });
}

export function removeKey(key: string): Change {
  return (document) => {
    if (!Object.hasOwn(document.routingTable, key)) return undefined;
    const { [key]: _, ...routingTable } = document.routingTable;
    return { ...document, routingTable };
  };
}
// #endregion changes

interface ValidDocument {
  readonly document: RoutingDocument;
  readonly table: RoutingTable;
}

function storedOf({ document, table }: ValidDocument, history: History): Stored {
  return { history, document, table, frame: encodeSnapshot(history, JSON.stringify(document)) };
}

type ReadResult =
  | ({ readonly ok: true } & ValidDocument)
  | { readonly ok: false; readonly faults: readonly string[] };

function readDocument(bytes: Buffer | Error): ReadResult {
  if (bytes instanceof Error) return { ok: false, faults: [`(file): ${bytes.message}`] };
  const decoded = decodeTable(bytes);
  if (!decoded.ok) return decoded;
  return { ok: true, document: JSON.parse(bytes.toString("utf8")), table: decoded.table };
}
