// Idle connections to cells, by endpoint, and which of them carries the next request: the one used last. It is the least likely
// to have been closed by the cell, its buffers are warm, and the ones at the bottom may age away when the load falls.

import type { FaultReport } from "./fault-report.ts";
import type { RawSockets } from "./raw-sockets.ts";
import type { Ticker } from "./ticker.ts";
import { UpstreamConnection } from "./upstream-connection.ts";
import type { UpstreamLimits } from "./upstream-time.ts";

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

// #region endpoint
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
  /** A stack: the connection used last is on top. */
  readonly #idle: UpstreamConnection[] = [];
  readonly #all = new Set<UpstreamConnection>();
  #closing = false;

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
  }

  get idleCount(): number {
    return this.#idle.length;
  }

  get connectionCount(): number {
    return this.#all.size;
  }

  /** A connection for one exchange: idle, or about to be made. */
  take(): UpstreamConnection {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      // Not by the ticker's time: while this process stood still, the cell may have closed the connection.
      if (idle.restsUntilMs > this.#ticker.clockMs) return idle;
      idle.destroy();
    }
    return this.#open();
  }

  /** Takes a connection back that can carry another exchange. */
  give(connection: UpstreamConnection): void {
    if (this.#closing || this.#idle.length >= this.#limits.maxIdle) return connection.destroy();
    connection.rest(this.#limits.keepAliveTimeoutMs);
    this.#idle.push(connection);
  }

  /** Closes idle connections now, and the others when they come back. */
  close(): void {
    this.#closing = true;
    for (const connection of this.#idle.splice(0)) connection.destroy();
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
      this.#forget(connection);
    };
    return connection;
  }

  #forget(connection: UpstreamConnection): void {
    const at = this.#idle.indexOf(connection);
    if (at !== -1) this.#idle.splice(at, 1);
  }
}
// #endregion endpoint

// #region pool
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
// #endregion pool
