// How an attempt failed, and whose fault that was: the client's, the cell's, or this router's own.

import type { AttemptResult } from "./attempt.ts";
import { type ErrorCode, problemOf } from "./errors.ts";
import type { AttemptFailure } from "./retry-policy.ts";

export type FailedAttempt = AttemptResult & { readonly kind: "failed" };

/** Whether the client, not the cell, broke the exchange. */
export function isClientFailure(code: ErrorCode): boolean {
  return problemOf(code).status < 500;
}

/** Whether the cell broke the exchange: neither the client nor this router, which may have failed or had no free sockets. */
export function isCellFailure(code: ErrorCode): boolean {
  return !isClientFailure(code) && code !== "router-exhausted" && code !== "router-fault";
}

/** No connection was made, so nothing of the request can have reached the cell. */
export function isUnreachable(result: AttemptResult): result is FailedAttempt {
  return result.kind === "failed" && !result.sent && isCellFailure(result.code);
}

export function failureOf({ code, sent }: FailedAttempt): AttemptFailure {
  if (isClientFailure(code)) return "client-aborted";
  if (!sent) return "connect-failed";
  return code === "head-timeout" ? "timed-out" : "connection-broken";
}
