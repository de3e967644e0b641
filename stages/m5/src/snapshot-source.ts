// Keeps the store in step with a control plane: starts from the last-known-good snapshot, or from the bootstrap file,
// and takes what is pushed. Owns who may set the table: the file may, until the first snapshot has been applied.

import { createHash } from "node:crypto";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import type { Logger } from "pino";
import type { Clock } from "./clock.ts";
import { ControlPlaneClient } from "./control-plane-client.ts";
import { patchDocument } from "./delta/document-patch.ts";
import { type FileSource, RoutingFileError, type SourceStatus } from "./file-source.ts";
import { IntakeBudget } from "./intake-budget.ts";
import { LastKnownGood } from "./last-known-good.ts";
import type { Position } from "./protocol.ts";
import { readRegularFile, withDeadline } from "./regular-file.ts";
import type { RoutingTable } from "./routing-table.ts";
import { SnapshotReceiver } from "./snapshot-receiver.ts";
import type { TableStore } from "./table-store.ts";
import { TableValidator } from "./table-validator.ts";

/** The disk has this long to respond, in milliseconds; less when the router stops, because a stop must end in time. */
const readDeadlineMs = 5_000;
const flushDeadlineMs = 2_000;

/** A longer file holds no token. */
const maxTokenBytes = 4_096;

export interface SnapshotSourceDependencies {
  readonly urls: readonly string[];
  /** Folder of the last-known-good snapshot. */
  readonly stateDir: string;
  /** File with the token, when `token` is not given. */
  readonly tokenFile: string;
  readonly token: string | undefined;
  /** How the control plane calls this router. @default a name made of the host's name and the state folder */
  readonly routerId: string | undefined;
  readonly maxMessageBytes: number;
  readonly bootstrap: FileSource;
  readonly store: TableStore;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  readonly wallClock: () => Date;
}

/** What is known of the table in use, once a snapshot has been applied. */
interface Applied extends Position {
  readonly source: "last-known-good" | "control-plane";
  readonly version: string;
  readonly appliedAt: string;
}

export interface SnapshotStatus extends Omit<SourceStatus, "source" | "path"> {
  readonly source: SourceStatus["source"] | Applied["source"];
  readonly epoch: string | null;
  readonly revision: number | null;
  readonly routerId: string;
  readonly controlPlane: string;
  readonly connected: boolean;
  readonly stalenessSeconds: number;
}

export class SnapshotSource {
  readonly #deps: SnapshotSourceDependencies;
  readonly #routerId: string;
  readonly #receiver: SnapshotReceiver;
  readonly #lastKnownGood: LastKnownGood;
  readonly #tokenText: () => Promise<string>;
  readonly #validator: TableValidator;
  #client: ControlPlaneClient | undefined;
  #applied: Applied | undefined;

  constructor(dependencies: SnapshotSourceDependencies) {
    this.#deps = dependencies;
    const { stateDir, routerId, tokenFile, maxMessageBytes, clock } = dependencies;
    this.#routerId = routerId ?? nameFor(stateDir);
    this.#validator = new TableValidator(clock);
    this.#receiver = new SnapshotReceiver({
      validate: (tableJson) => this.#validator.validate(tableJson),
      patch: (documentJson, patchJson) =>
        this.#validator.timed((signal) => patchDocument(documentJson, patchJson, signal)),
      apply: (table, position) => this.#apply(table, position),
    });
    // A delta (m5) may make a table that is larger than any message.
    const maxSavedBytes = 2 * maxMessageBytes;
    this.#lastKnownGood = new LastKnownGood(
      join(stateDir, "last-known-good"),
      this.#onDiskFault,
      maxSavedBytes,
    );
    const readToken = async () => (await readRegularFile(tokenFile, maxTokenBytes)).bytes.toString("utf8");
    this.#tokenText = withDeadline(readToken, readDeadlineMs, clock);
  }

  readonly #onDiskFault = (error: Error): void =>
    this.#deps.logger.error({ event: "last-known-good-failed", cause: error.message });

  // #region start
  /** Brings in the best table that this machine has, and starts the link. Waits for the disk, never for the network. */
  async start(): Promise<void> {
    const { bootstrap, logger, wallClock, urls, maxMessageBytes, clock, random } = this.#deps;
    const savedAt = await this.#restore();
    if (savedAt === undefined) {
      // Without any table the router answers 503 until the control plane brings one.
      await bootstrap.start().catch((error: unknown) => {
        if (!(error instanceof RoutingFileError)) throw error;
        logger.warn({ event: "no-bootstrap", cause: error.message });
      });
    }
    const budget = new IntakeBudget(clock.now());
    // What the disk held was read without one.
    this.#validator.budget = budget.work;
    this.#client = new ControlPlaneClient({
      urls,
      readToken: () => this.#readToken(),
      routerId: this.#routerId,
      receiver: this.#receiver,
      onApplied: (message) => void this.#lastKnownGood.save(message),
      maxMessageBytes,
      budget,
      clock,
      random,
      wallClock,
      logger,
      staleForMs: savedAt === undefined ? 0 : Math.max(0, wallClock().getTime() - savedAt.getTime()),
    });
    this.#client.start();
  }

  /** Takes the saved message as if it came over a link: the same checks find a torn or edited file. */
  async #restore(): Promise<Date | undefined> {
    const { clock, wallClock } = this.#deps;
    const look = async () => {
      await this.#lastKnownGood.removeLeftOvers(wallClock());
      return await this.#lastKnownGood.load();
    };
    const saved = await withDeadline(look, readDeadlineMs, clock)().catch(this.#onDiskFault);
    if (saved === undefined) return undefined;
    const received = await this.#receiver.receive(saved.message, this.#receiver.openLink());
    if (received.kind === "reply" && received.outcome === "applied") return saved.savedAt;
    const cause =
      received.kind === "reply" ? received.words : received.kind === "fault" ? received.fault : "";
    this.#deps.logger.error({ event: "last-known-good-damaged", cause });
    await this.#lastKnownGood.setAside();
    return undefined;
  }
  // #endregion start

  /** Ends the link, and resolves when what was applied last is on disk. */
  async close(): Promise<void> {
    const closed = this.#client?.close();
    this.#validator.close();
    await closed;
    const flushed = () => this.#lastKnownGood.flushed();
    await withDeadline(flushed, flushDeadlineMs, this.#deps.clock)().catch(this.#onDiskFault);
  }

  status(): SnapshotStatus {
    const { path: _, ...file } = this.#deps.bootstrap.status();
    const link = this.#client?.status();
    const { url = this.#deps.urls[0] ?? "", connected = false, stalenessSeconds = 0 } = link ?? {};
    return {
      ...file,
      epoch: null,
      revision: null,
      ...this.#applied,
      lastError: link?.lastError ?? (this.#applied === undefined ? file.lastError : null),
      routerId: this.#routerId,
      controlPlane: url,
      connected,
      stalenessSeconds,
    };
  }

  // #region apply
  async #apply(table: RoutingTable, position: Position): Promise<void> {
    // From now on the file is history: an edit of it must not undo what the control plane says.
    await this.#deps.bootstrap.close();
    await this.#validator.timed(async () => this.#deps.store.swap(table));
    const source = this.#client === undefined ? "last-known-good" : "control-plane";
    const { version } = table;
    this.#applied = { ...position, source, version, appliedAt: this.#deps.wallClock().toISOString() };
    this.#deps.logger.info({ event: "routing-applied", source, version, ...position });
  }
  // #endregion apply

  async #readToken(): Promise<string | undefined> {
    const { token, tokenFile, logger } = this.#deps;
    if (token !== undefined && token !== "") return token;
    const text = await this.#tokenText().catch((error: NodeJS.ErrnoException) => {
      // It may be made later.
      if (error.code !== "ENOENT")
        logger.warn({ event: "token-unreadable", path: tokenFile, cause: error.message });
      return "";
    });
    return /^\s*([\x21-\x7e]+)\s*$/.exec(text)?.[1];
  }
}

/** One name for one state folder on one host: it stays over restarts, and two routers beside each other differ. */
function nameFor(stateDir: string): string {
  const folder = createHash("sha256").update(resolve(stateDir)).digest("hex").slice(0, 8);
  return `${
    hostname()
      .replace(/[^A-Za-z0-9.-]/g, "-")
      .slice(0, 100) || "router"
  }-${folder}`;
}
