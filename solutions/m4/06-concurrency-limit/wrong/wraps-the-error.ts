// Serves one request within a concurrency limit: takes the place, and gives it back on every way out. What it means
// to serve the request is left to the caller.

import type { EventEmitter } from "node:events";
import type { ConcurrencyLimit } from "../concurrency-limit.ts";

/** `ended`: it was served. `client-left`: the client closed first. `overloaded`: there was no place, nothing was begun. */
export type LimitedResult = "ended" | "client-left" | "overloaded";

/** What serves the request. Resolves when the exchange has ended, and ends it early when `signal` is aborted. */
export type Serve = (signal: AbortSignal) => Promise<void>;

// #region limited
/**
 * Takes a place of `limit`, serves, and gives the place back when serving has ended: in whatever way, and not
 * before. As long as the cell may still be working on the request, the place is taken.
 *
 * @param client Emits `close` when the client leaves; then the signal is aborted. Nothing is left listening to it.
 * @throws What `serve` throws or rejects with, unless the client has left: then that is only its echo.
 */
export async function limited(
  limit: ConcurrencyLimit,
  client: EventEmitter,
  serve: Serve,
): Promise<LimitedResult> {
  const place = limit.tryAcquire();
  if (place === undefined) return "overloaded";
  const left = new AbortController();
  const onClose = (): void => left.abort();
  client.once("close", onClose);
  try {
    await serve(left.signal);
    return left.signal.aborted ? "client-left" : "ended";
  } catch (error) {
    if (left.signal.aborted) return "client-left";
    throw new Error("Cannot serve the request", { cause: error });
  } finally {
    client.off("close", onClose);
    place.release();
  }
}
// #endregion limited
