// Asks an etcd cluster over its JSON gateway: one request to one endpoint, the next endpoint after a failure. Owns
// connections and time limits. What a request means, and whether to send it again, is the caller's business.

import { Agent, request } from "undici";
import type { Clock } from "../../stages/m4/src/clock.ts";
import { EtcdError, failureOf, refusalOf } from "./etcd-error.ts";
import {
  type KeyRange,
  type ReadOptions,
  readRange,
  readRequest,
  readTxn,
  readWatch,
  type TxnResult,
  txnRequest,
  type WatchMessage,
  watchRequest,
} from "./etcd-messages.ts";
import { linesOf } from "./lines.ts";

export interface EtcdClientOptions {
  /** Client URLs of the nodes, such as `http://127.0.0.1:2379`; at least one. */
  readonly endpoints: readonly string[];
  /** Every key of this store begins with it. */
  readonly prefix: string;
  /** Longer responses, and longer messages of a watch, are refused. */
  readonly maxBytes: number;
  readonly clock: Clock;
}

/** What a store and its follower ask of a cluster: a test can be one. */
export type Etcd = Pick<EtcdClient, "read" | "txn" | "watch" | "close">;

/** A node of the same data centre accepts at once, or not at all. In milliseconds. */
const connectTimeoutMs = 1_000;

/** One request to one node. Electing a leader takes a second or two; a node that stands still takes for ever. */
const requestTimeoutMs = 2_000;

/** Between two rounds over the endpoints, in milliseconds. */
const roundPauseMs = 100;

export class EtcdClient {
  readonly #options: EtcdClientOptions;
  readonly #agent = new Agent({ connect: { timeout: connectTimeoutMs }, headersTimeout: 0, bodyTimeout: 0 });
  /** Which endpoint is in use. */
  #turn = 0;
  #isClosed = false;

  constructor(options: EtcdClientOptions) {
    this.#options = options;
  }

  /** The endpoint that is in use: the last one that responded. */
  get endpoint(): string {
    const { endpoints } = this.#options;
    return endpoints[this.#turn % endpoints.length] ?? "";
  }

  /** Uses the next endpoint, if `failed` is still the one in use. */
  leave(failed: string): void {
    if (failed === this.endpoint) this.#turn += 1;
  }

  /** Reads the store's keys, as of now: a majority has confirmed it. @throws EtcdError */
  async read(budgetMs: number, options: ReadOptions = {}): Promise<KeyRange> {
    const { prefix } = this.#options;
    const body = readRequest(prefix, options);
    const read = (message: unknown): KeyRange => readRange(prefix, message);
    return await this.#anyEndpoint(budgetMs, (ms) => this.#call("/v3/kv/txn", body, ms, read));
  }

  /** One attempt at one endpoint. @throws EtcdError, and after `unclear` nobody knows whether it took effect */
  async txn(
    expected: Readonly<Record<string, number>>,
    puts: Readonly<Record<string, string>>,
    budgetMs: number,
  ): Promise<TxnResult> {
    const { prefix } = this.#options;
    const body = txnRequest(prefix, expected, puts);
    const read = (message: unknown): TxnResult => readTxn(prefix, message);
    return await this.#call("/v3/kv/txn", body, Math.min(budgetMs, requestTimeoutMs), read);
  }

  /**
   * Asks one endpoint after the other until one responds, or refuses, or the budget is used up.
   * @throws EtcdError that says of each endpoint what went wrong last
   */
  async #anyEndpoint<T>(budgetMs: number, ask: (timeoutMs: number) => Promise<T>): Promise<T> {
    const { clock, endpoints } = this.#options;
    const endMs = clock.now() + budgetMs;
    const words = new Map<string, string>(
      endpoints.map((endpoint) => [endpoint, `${endpoint} was not asked`]),
    );
    for (let attempt = 1; ; attempt++) {
      const { endpoint } = this;
      try {
        return await ask(Math.min(requestTimeoutMs, endMs - clock.now()));
      } catch (error) {
        if (!(error instanceof EtcdError) || error.kind === "refused" || error.isTooLong) throw error;
        words.set(endpoint, error.message);
        if (attempt % endpoints.length === 0) await clock.sleep(roundPauseMs);
        if (this.#isClosed || clock.now() + roundPauseMs >= endMs)
          throw new EtcdError(error.kind, [...words.values()].join("; "), { cause: error });
      }
    }
  }

  /** Changes from `fromRevision` on, from the endpoint in use. Ends when etcd ends it. @throws EtcdError, also when `signal` aborts */
  async *watch(fromRevision: number, signal: AbortSignal): AsyncGenerator<WatchMessage> {
    const { prefix, maxBytes } = this.#options;
    const endpoint = this.endpoint;
    try {
      const body = await this.#post(endpoint, "/v3/watch", watchRequest(prefix, fromRevision), signal);
      body.setEncoding("utf8");
      for await (const line of linesOf(body as AsyncIterable<string>, maxBytes))
        if (line !== "") yield readWatch(prefix, JSON.parse(line));
    } catch (error) {
      this.leave(endpoint);
      throw failureOf(endpoint, error);
    }
  }

  /** Whatever is under way fails. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#agent.destroy();
  }

  /** @throws EtcdError, and the next request goes to another endpoint */
  async #call<T>(
    path: string,
    message: object,
    timeoutMs: number,
    read: (message: unknown) => T,
  ): Promise<T> {
    const endpoint = this.endpoint;
    const limit = new AbortController();
    const done = new AbortController();
    this.#options.clock.sleep(timeoutMs, done.signal).then(
      () => limit.abort(new EtcdError("unclear", `${endpoint} did not respond in time`)),
      () => {},
    );
    try {
      const body = await this.#post(endpoint, path, message, limit.signal);
      return read(JSON.parse(await this.#textOf(body)));
    } catch (error) {
      const failure = failureOf(endpoint, error);
      if (failure.kind !== "refused") this.leave(endpoint);
      throw failure;
    } finally {
      done.abort();
    }
  }

  /** Resolves with the body of a response of status 200. */
  async #post(endpoint: string, path: string, message: object, signal: AbortSignal) {
    const { statusCode, body } = await request(`${endpoint}${path}`, {
      method: "POST",
      body: JSON.stringify(message),
      dispatcher: this.#agent,
      signal,
    });
    if (statusCode !== 200) throw refusalOf(endpoint, statusCode, await this.#textOf(body));
    return body;
  }

  async #textOf(body: AsyncIterable<Buffer>): Promise<string> {
    const { maxBytes } = this.#options;
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of body) {
      bytes += chunk.length;
      if (bytes > maxBytes)
        throw new EtcdError("unclear", `a response of etcd's is longer than ${maxBytes} bytes`, {
          isTooLong: true,
        });
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString("utf8");
  }
}
