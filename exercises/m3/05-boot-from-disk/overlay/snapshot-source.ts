// Stands in for the stage's `snapshot-source.ts` while a router starts with your `boot`: it is the stage's file, with your
// function in the place of its steps. The router accepts requests when `boot` has resolved.

import { createHash } from "node:crypto";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import type { Logger } from "pino";
import type { Clock } from "../../../../stages/m3/src/clock.ts";
import { ControlPlaneClient } from "../../../../stages/m3/src/control-plane-client.ts";
import type { FileSource, SourceStatus } from "../../../../stages/m3/src/file-source.ts";
import { IntakeBudget } from "../../../../stages/m3/src/intake-budget.ts";
import { LastKnownGood } from "../../../../stages/m3/src/last-known-good.ts";
import type { Position } from "../../../../stages/m3/src/protocol.ts";
import { readRegularFile, withDeadline } from "../../../../stages/m3/src/regular-file.ts";
import type { RoutingTable } from "../../../../stages/m3/src/routing-table.ts";
import { type Link, type Received, SnapshotReceiver } from "../../../../stages/m3/src/snapshot-receiver.ts";
import type { TableStore } from "../../../../stages/m3/src/table-store.ts";
import { TableValidator } from "../../../../stages/m3/src/table-validator.ts";
import { boot } from "../starter/boot.ts";

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

/** The stage's receiver, which also tells when a message has shown the router to be up to date. */
class TellingReceiver extends SnapshotReceiver {
  #tell: (() => void) | undefined;

  nextUpToDate(): Promise<void> {
    return new Promise((resolve) => {
      this.#tell = resolve;
    });
  }

  override async receive(bytes: Uint8Array, link: Link): Promise<Received> {
    const received = await super.receive(bytes, link);
    if (received.kind === "reply" && received.upToDate) this.#tell?.();
    return received;
  }
}

export class SnapshotSource {
  readonly #deps: SnapshotSourceDependencies;
  readonly #routerId: string;
  readonly #receiver: TellingReceiver;
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
    this.#receiver = new TellingReceiver({
      validate: (tableJson) => this.#validator.validate(tableJson),
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

  /** Your `boot` brings in the first table and begins the link. */
  async start(): Promise<void> {
    const { bootstrap, logger, wallClock, clock } = this.#deps;
    const look = async () => {
      await this.#lastKnownGood.removeLeftOvers(wallClock());
      return await this.#lastKnownGood.load();
    };
    const load = withDeadline(look, readDeadlineMs, clock);
    const from = await boot({
      lastKnownGood: {
        load: async () => (await load().catch(this.#onDiskFault)) ?? undefined,
        setAside: () => this.#lastKnownGood.setAside(),
      },
      receiver: this.#receiver,
      bootstrap: () => bootstrap.start(),
      connect: (staleForMs) => this.#connect(staleForMs),
      wallClock,
      tell: (cause) => logger.warn({ event: "boot-fault", cause }),
    });
    logger.info({ event: "booted", from });
  }

  /** Begins the link, and resolves when it has brought the router up to date. */
  #connect(staleForMs: number): Promise<void> {
    const { logger, wallClock, urls, maxMessageBytes, clock, random } = this.#deps;
    const budget = new IntakeBudget(clock.now());
    // What the disk held was read without one.
    this.#validator.budget = budget.work;
    const upToDate = this.#receiver.nextUpToDate();
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
      staleForMs,
    });
    this.#client.start();
    return upToDate;
  }

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
