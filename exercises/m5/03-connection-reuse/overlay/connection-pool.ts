// Stands in for the stage's `sockets/connection-pool.ts` while your `IdleConnections` serves real traffic: it is the stage's file, with
// your class in the place of its list. What `reusable` asks, the stage has asked before it gives a connection back.

import type { FaultReport } from "../../../../stages/m5/src/sockets/fault-report.ts";
import type { RawSockets } from "../../../../stages/m5/src/sockets/raw-sockets.ts";
import type { Ticker } from "../../../../stages/m5/src/sockets/ticker.ts";
import { UpstreamConnection } from "../../../../stages/m5/src/sockets/upstream-connection.ts";
import type { UpstreamLimits } from "../../../../stages/m5/src/sockets/upstream-time.ts";
import { type FinishedExchange, IdleConnections } from "../starter/connection-reuse.ts";

/** What the stage makes sure of before a connection is given back. */
const leftNothingBehind: FinishedExchange = {
  minorVersion: 1,
  connection: { close: false, keepAlive: true },
  body: "length",
  bytesBehind: 0,
  requestDone: true,
};

export interface PoolLimits extends UpstreamLimits {
  /** How long an idle connection is kept: less than the 5 s after which Node servers close. In milliseconds. */
  readonly keepAliveTimeoutMs: number;
  /** Most idle connections to one endpoint. */
  readonly maxIdle: number;
}

export const defaultPoolLimits: PoolLimits = {
  connectTimeoutMs: 5_000,
  headTimeoutMs: 10_000,
  bodyIdleTimeoutMs: 30_000,
  stalledTimeoutMs: 20_000,
  keepAliveTimeoutMs: 4_000,
  maxIdle: 256,
};

/** One endpoint and its connections. */
export class Endpoint {
  readonly url: string;
  /** The line that names this endpoint to itself, with CR LF. */
  readonly hostLine: string;
  readonly #address: { readonly host: string; readonly port: number };
  readonly #ticker: Ticker;
  readonly #limits: PoolLimits;
  readonly #raw: RawSockets | undefined;
  readonly #report: FaultReport;
  readonly #idle: IdleConnections<UpstreamConnection>;
  readonly #all = new Set<UpstreamConnection>();

  /** @throws TypeError when `url` is no URL */
  constructor(
    url: string,
    ticker: Ticker,
    limits: PoolLimits,
    raw: RawSockets | undefined,
    report: FaultReport,
  ) {
    const { host, hostname, port } = new URL(url);
    this.url = url;
    this.hostLine = `Host: ${host}\r\n`;
    // Brackets belong to the URL, not to the address.
    this.#address = { host: hostname.replace(/^\[|\]$/g, ""), port: port === "" ? 80 : Number(port) };
    this.#ticker = ticker;
    this.#limits = limits;
    this.#raw = raw;
    this.#report = report;
    this.#idle = new IdleConnections(limits.maxIdle);
  }

  get idleCount(): number {
    return this.#idle.size;
  }

  get connectionCount(): number {
    return this.#all.size;
  }

  /** A connection for one exchange: idle, or about to be made. */
  take(): UpstreamConnection {
    for (let idle = this.#idle.take(); idle !== undefined; idle = this.#idle.take()) {
      // Not by the ticker's time: while this process stood still, the cell may have closed the connection.
      if (idle.restsUntilMs > this.#ticker.clockMs) return idle;
      idle.destroy();
    }
    return this.#open();
  }

  /** Takes a connection back that can carry another exchange. */
  give(connection: UpstreamConnection): void {
    connection.rest(this.#limits.keepAliveTimeoutMs);
    this.#idle.give(connection, leftNothingBehind);
  }

  /** Closes idle connections now, and the others when they come back. */
  close(): void {
    this.#idle.close();
  }

  destroy(): void {
    this.close();
    for (const connection of this.#all) connection.destroy();
  }

  #open(): UpstreamConnection {
    const connection = new UpstreamConnection(
      this.#address,
      this.#ticker,
      this.#limits,
      this.#raw,
      this.#report,
    );
    this.#all.add(connection);
    connection.onGone = () => {
      this.#all.delete(connection);
      this.#idle.forget(connection);
    };
    return connection;
  }
}

export class ConnectionPool {
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #ticker: Ticker;
  readonly #limits: PoolLimits;
  readonly #raw: RawSockets | undefined;
  readonly #report: FaultReport;

  /** @param raw Absent: sockets are used as the streams that they are. */
  constructor(ticker: Ticker, limits: PoolLimits, raw: RawSockets | undefined, report: FaultReport) {
    this.#ticker = ticker;
    this.#limits = limits;
    this.#raw = raw;
    this.#report = report;
  }

  /** The endpoint at `url`, made when it is first asked for. */
  endpoint(url: string): Endpoint {
    const known = this.#endpoints.get(url);
    if (known !== undefined) return known;
    const endpoint = new Endpoint(url, this.#ticker, this.#limits, this.#raw, this.#report);
    this.#endpoints.set(url, endpoint);
    return endpoint;
  }

  /** Closes every endpoint that is not in `urls`, each connection after its present exchange. */
  retainOnly(urls: ReadonlySet<string>): void {
    for (const [url, endpoint] of this.#endpoints) {
      if (urls.has(url)) continue;
      this.#endpoints.delete(url);
      endpoint.close();
    }
  }

  /** Ends every connection at once, whatever it carries. */
  destroy(): void {
    for (const endpoint of this.#endpoints.values()) endpoint.destroy();
    this.#endpoints.clear();
  }
}
