// Keeps the store in step with a file: notices that it may have changed, reads it, and swaps the table when it holds
// another valid one. Whatever else happens to the file, the table in use stays.

import type { Logger } from "pino";
import type { Clock } from "./clock.ts";
import { PathWatcher } from "./path-watcher.ts";
import { type RegularFile, readRegularFile, withDeadline } from "./regular-file.ts";
import { type Decoded, decodeTable, decodeTableOffloaded, offloadedFromBytes } from "./table-decoder.ts";
import type { TableStore } from "./table-store.ts";

// #region times
/** A write often comes in several steps; the file is read once it has been quiet for this long, in milliseconds. */
const settleMs = 20;

/** A file that is never quiet is read all the same, after this many times `settleMs`. */
const maxSettles = 5;

/** The file is read this often without any sign of a change: network file systems give none. In milliseconds. */
const rereadMs = 1_000;

/** The file system has this long to respond, in milliseconds. */
const readDeadlineMs = 5_000;
// #endregion times

/** Twice what a control plane pushes (m3): the same table takes more room when it is laid out for people. */
const maxRoutingFileBytes = 32 * 1024 * 1024;

export interface FileSourceDependencies {
  readonly path: string;
  readonly store: TableStore;
  readonly logger: Logger;
  readonly clock: Clock;
  /** The date, for people; intervals come from `clock`. */
  readonly wallClock: () => Date;
  /** @default readRegularFile */
  readonly read?: (path: string, maxBytes: number) => Promise<RegularFile>;
}

/** What the router uses, where it came from, and what became of the last attempt to replace it. */
export interface SourceStatus {
  readonly source: "file";
  readonly path: string;
  readonly version: string | null;
  readonly checksum: string | null;
  /** Dates are ISO 8601 in UTC. */
  readonly appliedAt: string | null;
  /** Why the file's present content is not in use; null when it is. */
  readonly lastError: { readonly at: string; readonly faults: readonly string[] } | null;
}

/** The file cannot be used and there is no earlier table to go on with. */
export class RoutingFileError extends Error {
  override readonly name = "RoutingFileError";
}

/** What is due: nothing, a look because the file may have changed, or a read that somebody asked for. */
type Pending = "nothing" | "change" | "request";

export class FileSource {
  readonly #deps: FileSourceDependencies;
  readonly #watcher: PathWatcher;
  readonly #look: (signal: AbortSignal) => Promise<RegularFile>;
  readonly #stop = new AbortController();
  #status: SourceStatus;
  /** The bytes last decoded; undefined after a read that failed. */
  #bytes: Buffer | undefined;
  /** What the last look found wrong, if anything. */
  #suspicion: string | undefined;
  #pending: Pending = "nothing";
  #pause = new AbortController();
  #settling = false;
  #following: Promise<void> = Promise.resolve();
  readonly #watchFaults = new Set<string>();

  constructor(dependencies: FileSourceDependencies) {
    this.#deps = dependencies;
    const { path, clock, read = readRegularFile } = dependencies;
    this.#status = { source: "file", path, version: null, checksum: null, appliedAt: null, lastError: null };
    this.#watcher = new PathWatcher(
      path,
      () => this.#notice("change"),
      (error) => this.#onWatchFault(error.message),
    );
    const look = async (): Promise<RegularFile> => {
      await this.#watcher.refresh();
      return read(path, maxRoutingFileBytes);
    };
    this.#look = withDeadline(look, readDeadlineMs, clock);
  }

  status(): SourceStatus {
    return this.#status;
  }

  /** Applies the file and follows it from then on. Throws a `RoutingFileError` that names every fault. */
  async start(): Promise<void> {
    await this.#read();
    const { lastError, path } = this.#status;
    if (lastError !== null) {
      this.#watcher.close();
      const words = lastError.faults.join("\n");
      throw new RoutingFileError(
        `Cannot start: ROUTING_FILE=${JSON.stringify(path)} holds no routing table; mend it, or set another one: ${words}`,
      );
    }
    this.#following = this.#follow();
  }

  /** Reads the file now, without waiting for it to be quiet. */
  reload(): void {
    this.#notice("request");
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#pause.abort();
    this.#watcher.close();
    await this.#following;
  }

  // #region follow
  /** One read after the other: a slow read of old content can never overwrite what a later read found. */
  async #follow(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      if (this.#pending === "nothing") await this.#sleep(rereadMs);
      this.#settling = true;
      for (let settles = 0; this.#pending === "change" && settles < maxSettles; settles++) {
        this.#pending = "nothing";
        await this.#sleep(settleMs);
      }
      this.#settling = false;
      // Before the read, not after it: a change during the read asks for another one.
      this.#pending = "nothing";
      if (!this.#stop.signal.aborted) await this.#read();
    }
  }

  #notice(pending: Exclude<Pending, "nothing">): void {
    if (this.#pending !== "request") this.#pending = pending;
    // While the file settles, a further change only prolongs the wait; a request ends it.
    if (pending === "request" || !this.#settling) this.#pause.abort();
  }

  /** Without a watch the file is still read every `rereadMs`; the log says each reason once. */
  #onWatchFault(cause: string): void {
    if (this.#watchFaults.has(cause)) return;
    this.#watchFaults.add(cause);
    this.#deps.logger.warn({ event: "routing-not-watched", path: this.#deps.path, cause, rereadMs });
  }

  async #sleep(ms: number): Promise<void> {
    this.#pause = new AbortController();
    await this.#deps.clock.sleep(ms, this.#pause.signal).catch(() => {});
  }
  // #endregion follow

  // #region read
  async #read(): Promise<void> {
    const { signal } = this.#stop;
    let decoded: Decoded;
    try {
      const { bytes } = await this.#look(signal);
      if (this.#bytes?.equals(bytes)) return;
      decoded =
        bytes.length < offloadedFromBytes ? decodeTable(bytes) : await decodeTableOffloaded(bytes, signal);
      this.#bytes = bytes;
    } catch (error) {
      if (signal.aborted) return;
      this.#bytes = undefined;
      decoded = { ok: false, faults: [`(file): ${error instanceof Error ? error.message : error}`] };
    }
    if (decoded.ok) return this.#accept(decoded);
    // This read may have caught the file in the middle of a write: a fault counts once two looks agree.
    const suspicion = decoded.faults.join("\n");
    if (suspicion === this.#suspicion || this.#status.version === null) return this.#reject(decoded.faults);
    this.#suspicion = suspicion;
    this.#bytes = undefined;
    this.#notice("change");
  }

  #accept({ table, checksum }: Extract<Decoded, { ok: true }>): void {
    const { store, logger, wallClock } = this.#deps;
    this.#suspicion = undefined;
    if (checksum === this.#status.checksum) {
      this.#status = { ...this.#status, lastError: null };
      return logger.info({ event: "routing-unchanged", checksum });
    }
    store.swap(table);
    const { version } = table;
    this.#status = {
      ...this.#status,
      version,
      checksum,
      appliedAt: wallClock().toISOString(),
      lastError: null,
    };
    logger.info({ event: "routing-applied", version, checksum, keys: table.placementByKey.size });
  }

  #reject(faults: readonly string[]): void {
    // A missing file is read again and again; the log says so once.
    if (faults.join("\n") === this.#status.lastError?.faults.join("\n")) return;
    this.#status = { ...this.#status, lastError: { at: this.#deps.wallClock().toISOString(), faults } };
    this.#deps.logger.error({ event: "routing-rejected", path: this.#deps.path, faults });
  }
  // #endregion read
}
