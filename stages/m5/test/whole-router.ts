// The request path of the router, whole and wired as in `data-plane.ts`, in the test's own process: the test sees into it, and
// decides when time limits are looked at.

import { setTimeout as delay } from "node:timers/promises";
import { type AccessEntry, AccessLog } from "../src/access-log.ts";
import { Attempts } from "../src/attempts.ts";
import { DateLine } from "../src/date-line.ts";
import { Metrics } from "../src/metrics.ts";
import { ProxyHandler } from "../src/proxy.ts";
import { Resilience } from "../src/resilience.ts";
import type { RoutingTable } from "../src/routing-table.ts";
import { ConnectionPool, defaultPoolLimits, type PoolLimits } from "../src/sockets/connection-pool.ts";
import { Listener } from "../src/sockets/listener.ts";
import { Ticker } from "../src/sockets/ticker.ts";
import { TableStore } from "../src/table-store.ts";
import { PrerenderedCache } from "../src/trim/prerendered-headers.ts";
import { RawTcp } from "../src/trim/raw-tcp.ts";
import { asStep } from "./planted-faults.ts";

export interface WholeRouterOptions {
  readonly table: RoutingTable | undefined;
  readonly raw: boolean;
  readonly limits?: Partial<PoolLimits>;
}

export class WholeRouter implements AsyncDisposable {
  readonly entries: AccessEntry[] = [];
  readonly faults: unknown[] = [];
  readonly ticker: Ticker;
  readonly resilience: Resilience;
  readonly pool: ConnectionPool;
  readonly listener: Listener;
  url = "";
  readonly #table: RoutingTable | undefined;

  private constructor({ table, raw, limits }: WholeRouterOptions) {
    const clock = {
      now: asStep("clock.now", () => performance.now()),
      sleep: (ms: number, signal?: AbortSignal) => delay(ms, undefined, signal ? { signal } : {}),
    };
    const report = (error: unknown): void => void this.faults.push(error);
    const tcp = raw ? RawTcp.load() : undefined;
    this.#table = table;
    this.ticker = new Ticker({ now: () => performance.now(), sleep: clock.sleep });
    this.resilience = new Resilience({
      isHealthy: asStep("isHealthy", () => true),
      onBreaker: asStep("onBreaker", () => {}),
      onFault: report,
    });
    const metrics = new Metrics({
      guards: () => this.resilience.guards(),
      isHealthy: () => true,
      now: () => performance.now(),
      linesDropped: () => 0,
    });
    this.pool = new ConnectionPool(this.ticker, { ...defaultPoolLimits, ...limits }, tcp, report);
    const store = new TableStore();
    if (table !== undefined) {
      this.resilience.update(table, performance.now());
      store.swap(table);
    }
    const accessLog = new AccessLog({
      write: () => {},
      enabled: true,
      wallClock: asStep("wallClock", () => new Date()),
      listeners: [
        asStep("metrics.requestEnded", metrics.requestEnded),
        (entry) => void this.entries.push(entry),
        asStep("events.requestEnded", () => {}),
      ],
      report,
    });
    const handler = new ProxyHandler({
      store,
      pool: this.pool,
      resilience: this.resilience,
      attempts: new Attempts({
        resilience: this.resilience,
        metrics,
        clock,
        random: asStep("random", () => 0.5),
      }),
      accessLog,
      prerendered: new PrerenderedCache(),
      dateLine: new DateLine(() => Date.now()),
      clock,
      report,
      newRequestId: asStep("newRequestId", () => "made-here"),
    });
    this.listener = new Listener({ handler, ticker: this.ticker, clock, ...(tcp && { raw: tcp }) });
  }

  static async start(options: WholeRouterOptions): Promise<WholeRouter> {
    const router = new WholeRouter(options);
    router.url = `http://127.0.0.1:${await router.listener.listen({ port: 0, host: "127.0.0.1" })}`;
    return router;
  }

  /** What requests still hold: permits, probes of breakers, and connections to cells that nobody can use again. */
  held(): Record<string, number> {
    const held: Record<string, number> = {};
    for (const [name, { limit, breaker, url }] of this.resilience.guards()) {
      const state = breaker?.state(performance.now());
      const endpoint = this.pool.endpoint(url);
      held[`permits of ${name}`] = limit.inFlight;
      held[`probes of ${name}`] = state?.kind === "half-open" ? state.probesInFlight : 0;
      held[`connections to ${name}`] = endpoint.connectionCount - endpoint.idleCount;
    }
    return Object.fromEntries(Object.entries(held).filter(([, count]) => count !== 0));
  }

  /** Whatever limit is over is over now. */
  looksAtLimits(): void {
    this.ticker.tick();
    this.ticker.tick();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const drained = this.listener.drain(0);
    this.listener.destroy();
    this.pool.destroy();
    await drained;
  }

  get table(): RoutingTable | undefined {
    return this.#table;
  }
}
