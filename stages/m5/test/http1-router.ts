// The smallest router that the data path can serve: one endpoint, decisions that a test makes, and time that stands still until
// the test moves it.

import type { Refusal } from "../src/http1/refusal.ts";
import type { ResponseHead } from "../src/http1/response-head.ts";
import { type ClientLimits, defaultClientLimits } from "../src/sockets/client-time.ts";
import { ConnectionPool, defaultPoolLimits, type PoolLimits } from "../src/sockets/connection-pool.ts";
import { Listener } from "../src/sockets/listener.ts";
import type { RawSockets } from "../src/sockets/raw-sockets.ts";
import type {
  AttemptResult,
  OwnedExchange,
  RequestHandler,
  RequestOwner,
} from "../src/sockets/request-owner.ts";
import { Ticker, tickMs } from "../src/sockets/ticker.ts";
import { RawTcp } from "../src/trim/raw-tcp.ts";

export interface Decisions {
  /** What happens with a request; by default one attempt at the endpoint. */
  readonly onRequest?: (exchange: OwnedExchange, router: TestRouter) => void;
  /** Whether a response is dropped; by default none is. */
  readonly drops?: (head: ResponseHead, exchange: OwnedExchange) => boolean;
  /** What happens after a failure or a dropped response; by default a 502 that names it. */
  readonly onFailure?: (exchange: OwnedExchange, result: AttemptResult, router: TestRouter) => void;
}

export interface TestRouterOptions extends Decisions {
  readonly limits?: Partial<PoolLimits>;
  readonly clientLimits?: Partial<ClientLimits>;
  /** Whether sockets are used raw, or what stands in for the raw interface. */
  readonly raw: boolean | RawSockets;
}

export class TestRouter implements RequestHandler, AsyncDisposable {
  readonly results: AttemptResult[] = [];
  /** What was thrown, on behalf of a request or of none. */
  readonly faults: unknown[] = [];
  readonly report = (error: unknown): void => void this.faults.push(error);
  readonly #attempts = new WeakMap<OwnedExchange, number>();
  readonly refusals: Refusal[] = [];
  /** What the head of each refused request said. */
  readonly refused: { readonly method: string; readonly path: string; readonly fields: number }[] = [];
  readonly pool: ConnectionPool;
  readonly listener: Listener;
  url = "";
  #nowMs = 1_000_000;
  readonly #ticker: Ticker;
  readonly #endpointUrl: string;
  readonly #decisions: Decisions;

  private constructor(endpointUrl: string, options: TestRouterOptions) {
    this.#endpointUrl = endpointUrl;
    this.#decisions = options;
    const clock = { now: () => this.#nowMs, sleep: () => new Promise<void>(() => {}) };
    this.#ticker = new Ticker(clock);
    const raw = options.raw === true ? RawTcp.load() : options.raw || undefined;
    this.pool = new ConnectionPool(
      this.#ticker,
      { ...defaultPoolLimits, ...options.limits },
      raw,
      this.report,
    );
    const limits = { ...defaultClientLimits, ...options.clientLimits };
    this.listener = new Listener({ handler: this, ticker: this.#ticker, clock, limits, ...(raw && { raw }) });
  }

  static async start(endpointUrl: string, options: TestRouterOptions): Promise<TestRouter> {
    const router = new TestRouter(endpointUrl, options);
    router.url = `http://127.0.0.1:${await router.listener.listen({ port: 0, host: "127.0.0.1" })}`;
    return router;
  }

  /** Lets `ms` pass in one go or, as in a process that runs, tick by tick; then what is due happens. */
  pass(ms: number, inOneGo = false): void {
    for (let leftMs = ms; leftMs > 0; leftMs -= tickMs) {
      this.#nowMs += inOneGo ? ms : Math.min(leftMs, tickMs);
      if (inOneGo) leftMs = 0;
      this.#ticker.tick();
    }
    this.#ticker.tick();
  }

  attempt(exchange: OwnedExchange, endpointUrl = this.#endpointUrl): void {
    const attempts = (this.#attempts.get(exchange) ?? 0) + 1;
    this.#attempts.set(exchange, attempts);
    exchange.attempt(this.pool.endpoint(endpointUrl), `X-Attempt: ${attempts}\r\n`);
  }

  onRequest(exchange: OwnedExchange): RequestOwner {
    return {
      serve: () => this.#serve(exchange),
      refuse: (refusal) => this.#refuse(exchange, refusal),
      onResponse: (head) =>
        this.#decisions.drops?.(head, exchange) === true ? undefined : "X-Routed-To: tier1\r\n",
      onAttemptEnd: (result) => this.#onAttemptEnd(exchange, result),
      onClientGone: () => {},
      endByThrow: (error) => this.onThrow(exchange, error),
    };
  }

  onThrow(exchange: OwnedExchange, error: unknown): void {
    this.report(error);
    respond(exchange, 500, "fault");
  }

  #serve(exchange: OwnedExchange): void {
    const { onRequest } = this.#decisions;
    if (onRequest !== undefined) onRequest(exchange, this);
    else this.attempt(exchange);
  }

  #refuse(exchange: OwnedExchange, refusal: Refusal): void {
    this.refusals.push(refusal);
    const { method, path, fields } = exchange.request.head;
    this.refused.push({ method, path, fields: fields.count + fields.seen });
    respond(exchange, 400, refusal.code);
  }

  #onAttemptEnd(exchange: OwnedExchange, result: AttemptResult): void {
    this.results.push(result);
    const ended = result.kind === "complete" || result.kind === "client-aborted";
    if (ended || (result.kind === "failed" && result.headSent)) return;
    const { onFailure } = this.#decisions;
    if (onFailure !== undefined) onFailure(exchange, result, this);
    else respond(exchange, 502, result.kind === "failed" ? result.code : result.kind);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const drained = this.listener.drain(0);
    this.listener.destroy();
    this.pool.destroy();
    await drained;
  }
}

export function respond(exchange: OwnedExchange, status: number, body: string): void {
  exchange.respond({ status, reason: "Refused", lines: "Content-Type: text/plain\r\n", body });
}
