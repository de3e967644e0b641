// Where the agent's table comes from: the last-known-good snapshot, else the bootstrap file, then whatever the control plane
// pushes. The parts are m4's; what differs is that a table counts only once HAProxy has confirmed it.

import { createHash } from "node:crypto";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import type { Logger } from "pino";
import type { Clock } from "../../../stages/m4/src/clock.ts";
import { ControlPlaneClient } from "../../../stages/m4/src/control-plane-client.ts";
import { TimeBudget } from "../../../stages/m4/src/intake-budget.ts";
import { LastKnownGood } from "../../../stages/m4/src/last-known-good.ts";
import type { Position } from "../../../stages/m4/src/protocol.ts";
import { readRegularFile, withDeadline } from "../../../stages/m4/src/regular-file.ts";
import type { RoutingTable } from "../../../stages/m4/src/routing-table.ts";
import type { Settings } from "../../../stages/m4/src/settings.ts";
import { decodeTable } from "../../../stages/m4/src/table-decoder.ts";
import { TableValidator } from "../../../stages/m4/src/table-validator.ts";
import { HaproxyReceiver } from "./receiver.ts";
import { HaproxyRefusal } from "./worker.ts";

const maxTokenBytes = 4_096;
const maxFileBytes = 32 * 1024 * 1024;
const readDeadlineMs = 5_000;
const flushDeadlineMs = 2_000;

export interface TableLinkDependencies {
  readonly settings: Settings;
  /** Makes HAProxy serve the table. @throws HaproxyRefusal */
  readonly apply: (table: RoutingTable) => Promise<void>;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  readonly wallClock: () => Date;
}

/** What is known of the table in use. */
interface Applied extends Partial<Position> {
  readonly source: "file" | "last-known-good" | "control-plane";
  readonly version: string;
  readonly appliedAt: string;
}

export class TableLink {
  readonly #deps: TableLinkDependencies;
  readonly #routerId: string;
  readonly #validator: TableValidator;
  readonly #receiver: HaproxyReceiver;
  readonly #lastKnownGood: LastKnownGood;
  #client: ControlPlaneClient | undefined;
  #applied: Applied | undefined;

  constructor(dependencies: TableLinkDependencies) {
    this.#deps = dependencies;
    const { settings, clock } = dependencies;
    this.#routerId = settings.ROUTER_ID ?? nameFor(settings.STATE_DIR);
    this.#validator = new TableValidator(clock);
    this.#receiver = new HaproxyReceiver({
      validate: (tableJson) => this.#validator.validate(tableJson),
      apply: (table, position) => this.#apply(table, position),
    });
    this.#lastKnownGood = new LastKnownGood(
      join(settings.STATE_DIR, "last-known-good"),
      this.#onDiskFault,
      2 * settings.MAX_MESSAGE_BYTES,
    );
  }

  readonly #onDiskFault = (error: Error): void =>
    this.#deps.logger.error({ event: "last-known-good-failed", cause: error.message });

  /** Brings in the best table that this machine has, and starts the link. Waits for HAProxy, never for the network. */
  async start(): Promise<void> {
    const { settings, logger, clock, random, wallClock } = this.#deps;
    const savedAt = await this.#restore();
    if (savedAt === undefined) await this.#bootstrap();
    // m4 spends a tenth of its time on tables, because requests wait meanwhile. Here no request waits for the agent.
    const share = { share: 0.5, burstMs: 5_000 };
    const budget = { reading: new TimeBudget(share, clock.now()), work: new TimeBudget(share, clock.now()) };
    this.#validator.budget = budget.work;
    if (settings.CONTROL_PLANE_URL === undefined) return;
    this.#client = new ControlPlaneClient({
      urls: settings.CONTROL_PLANE_URL,
      readToken: () => this.#readToken(),
      routerId: this.#routerId,
      receiver: this.#receiver,
      onApplied: (message) => void this.#lastKnownGood.save(message),
      maxMessageBytes: settings.MAX_MESSAGE_BYTES,
      budget,
      clock,
      random,
      wallClock,
      logger,
      staleForMs: savedAt === undefined ? 0 : Math.max(0, wallClock().getTime() - savedAt.getTime()),
    });
    this.#client.start();
  }

  /** Ends the link, and resolves when what was applied last is on disk. */
  async close(): Promise<void> {
    const closed = this.#client?.close();
    this.#validator.close();
    await closed;
    const flushed = () => this.#lastKnownGood.flushed();
    await withDeadline(flushed, flushDeadlineMs, this.#deps.clock)().catch(this.#onDiskFault);
  }

  status() {
    const link = this.#client?.status() ?? { connected: false, stalenessSeconds: 0, lastError: null };
    const controlPlane = this.#deps.settings.CONTROL_PLANE_URL ?? "off";
    return { epoch: null, revision: null, ...this.#applied, routerId: this.#routerId, controlPlane, ...link };
  }

  async #apply(table: RoutingTable, position: Position): Promise<void> {
    await this.#deps.apply(table);
    this.#note(table, this.#client === undefined ? "last-known-good" : "control-plane", position);
  }

  #note(table: RoutingTable, source: Applied["source"], position?: Position): void {
    const { version } = table;
    this.#applied = { ...position, source, version, appliedAt: this.#deps.wallClock().toISOString() };
    this.#deps.logger.info({ event: "routing-applied", source, version, ...position });
  }

  /**
   * Takes the saved message as if it came over a link: the same checks find a torn or edited file.
   *
   * @throws HaproxyRefusal with HAProxy's words: it has run this very table before, so the fault is this machine's
   */
  async #restore(): Promise<Date | undefined> {
    const { clock, wallClock } = this.#deps;
    const look = async () => {
      await this.#lastKnownGood.removeLeftOvers(wallClock());
      return await this.#lastKnownGood.load();
    };
    const saved = await withDeadline(look, readDeadlineMs, clock)().catch(this.#onDiskFault);
    if (saved === undefined) return undefined;
    const received = await this.#receiver.receive(saved.message, this.#receiver.openLink());
    if (this.#receiver.refusal !== undefined) throw this.#receiver.refusal;
    if (received.kind === "reply" && received.outcome === "applied") return saved.savedAt;
    const cause = received.kind === "reply" ? received.words : received.kind;
    this.#deps.logger.error({ event: "last-known-good-damaged", cause });
    await this.#lastKnownGood.setAside();
    return undefined;
  }

  /** Without any table HAProxy is not started, until the control plane brings one. */
  async #bootstrap(): Promise<void> {
    const { settings, logger } = this.#deps;
    try {
      const { bytes } = await readRegularFile(settings.ROUTING_FILE, maxFileBytes);
      const decoded = decodeTable(bytes);
      if (!decoded.ok) throw new Error(decoded.faults.slice(0, 3).join("; "));
      await this.#deps.apply(decoded.table);
      this.#note(decoded.table, "file");
    } catch (error) {
      if (error instanceof HaproxyRefusal) throw error;
      logger.warn({ event: "no-bootstrap", cause: error instanceof Error ? error.message : String(error) });
    }
  }

  async #readToken(): Promise<string | undefined> {
    const { CONTROL_PLANE_TOKEN: token, CONTROL_PLANE_TOKEN_FILE, STATE_DIR } = this.#deps.settings;
    if (token !== undefined && token !== "") return token;
    const file = CONTROL_PLANE_TOKEN_FILE ?? join(STATE_DIR, "control-plane-token");
    // It may be made later.
    const read = await readRegularFile(file, maxTokenBytes).catch(() => undefined);
    return /^\s*([\x21-\x7e]+)\s*$/.exec(read?.bytes.toString("utf8") ?? "")?.[1];
  }
}

/** One name for one state folder on one host: it stays over restarts, and two agents beside each other differ. */
function nameFor(stateDir: string): string {
  const folder = createHash("sha256").update(resolve(stateDir)).digest("hex").slice(0, 8);
  const host = hostname().replace(/[^A-Za-z0-9.-]/g, "-");
  return `${host.slice(0, 100) || "haproxy"}-${folder}`;
}
