// Responses that the router makes itself: problems, and the one to an OPTIONS request that may go no further.

import { type ErrorCode, problemBody, problemOf } from "./errors.ts";
import type { RouterResponse } from "./sockets/response-side.ts";

const allowLine = "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n";

/** @param lines What every response to this request says, each line ended by CR LF. */
export function problemResponse(
  code: ErrorCode,
  requestId: string,
  lines: string,
  retryAfterMs: number,
): RouterResponse {
  const { status, title } = problemOf(code);
  let all = `${lines}Content-Type: application/problem+json\r\nCache-Control: no-store\r\n`;
  if (code === "method-not-allowed") all += allowLine;
  if (status === 503 || status === 429) {
    all += `Retry-After: ${Math.max(1, Math.ceil(retryAfterMs / 1000))}\r\n`;
  }
  return { status, reason: title, lines: all, body: problemBody(code, requestId) };
}

/**
 * This router is the last that an OPTIONS request may reach: it says what it serves itself.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-7.6.2
 */
export function optionsResponse(lines: string): RouterResponse {
  return { status: 204, reason: "No Content", lines: lines + allowLine, body: "" };
}
