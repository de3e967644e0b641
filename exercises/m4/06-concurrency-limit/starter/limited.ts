// Serves one request within a concurrency limit: takes a permit, and gives it back on every way out. What it means
// to serve the request is left to the caller.

import type { EventEmitter } from "node:events";
import type { ConcurrencyLimit } from "./concurrency-limit.ts";

/** `ended`: it was served. `client-left`: the client closed first. `overloaded`: there was no permit, nothing was begun. */
export type LimitedResult = "ended" | "client-left" | "overloaded";

/** What serves the request. Resolves when the exchange has ended, and ends it early when `signal` is aborted. */
export type Serve = (signal: AbortSignal) => Promise<void>;

// #region limited
/**
 * Takes a permit of `limit`, serves, and gives the permit back when serving has ended: in whatever way, and not
 * before. As long as the cell may still be working on the request, the permit is taken.
 *
 * @param client Emits `close` when the client leaves; then the signal is aborted. Nothing is left listening to it.
 * @throws What `serve` throws or rejects with, unless the client has left: then that is only its echo.
 */
export async function limited(
  limit: ConcurrencyLimit,
  client: EventEmitter,
  serve: Serve,
): Promise<LimitedResult> {
  const permit = limit.tryAcquire();
  if (permit === undefined) return "overloaded";
  const left = new AbortController();
  client.once("close", () => {
    left.abort();
    permit.release();
  });
  await serve(left.signal);
  permit.release();
  return left.signal.aborted ? "client-left" : "ended";
}
// #endregion limited
