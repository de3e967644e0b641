// The one place where a failure becomes a response: code → status, title and the sentence that a client may read.
// Nothing from an exception reaches a client: an address or a stack would tell a stranger what stands behind the router.

import { errors } from "undici";

/** What an error response says besides its code, which is stable, so that a client may branch on it. */
export interface Problem {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
}

// #region problems
const problems = {
  "malformed-request": [400, "Bad Request", "The request is not valid HTTP/1.1."],
  "ambiguous-host": [400, "Bad Request", "Send exactly one Host field."],
  "unsupported-target": [400, "Bad Request", "Send a path that starts with /, or an absolute http URL."],
  "missing-routing-key": [400, "Bad Request", "Send an X-Routing-Key field that names the tenant."],
  "ambiguous-routing-key": [
    400,
    "Bad Request",
    "Send one X-Routing-Key; several with different values came.",
  ],
  "routing-key-too-long": [400, "Bad Request", "Send an X-Routing-Key of at most 256 bytes."],
  "method-not-allowed": [405, "Method Not Allowed", "TRACE is not served here."],
  "request-timeout": [408, "Request Timeout", "The request did not arrive in time."],
  "content-too-large": [413, "Content Too Large", "The request's chunk extensions are too large."],
  "expectation-failed": [417, "Expectation Failed", "The only expectation served here is 100-continue."],
  "header-fields-too-large": [431, "Request Header Fields Too Large", "Send a smaller request head."],
  "router-fault": [500, "Internal Server Error", "The router failed."],
  "connect-not-supported": [501, "Not Implemented", "CONNECT is not served here."],
  "method-not-supported": [501, "Not Implemented", "This method is not served here."],
  "transfer-coding-not-supported": [
    501,
    "Not Implemented",
    "The only transfer coding served here is chunked.",
  ],
  "target-not-supported": [501, "Not Implemented", "The target * is not served here."],
  "version-not-supported": [505, "HTTP Version Not Supported", "Send the request in HTTP/1.1 or HTTP/1.0."],
  "upstream-unreachable": [502, "Bad Gateway", "No connection to the cell could be made."],
  "upstream-broken": [502, "Bad Gateway", "The cell ended the connection or broke the protocol."],
  "no-routing-table": [503, "Service Unavailable", "The router has no routing table yet."],
  "router-exhausted": [503, "Service Unavailable", "The router has no free sockets."],
  "connect-timeout": [504, "Gateway Timeout", "No connection to the cell could be made in time."],
  "head-timeout": [504, "Gateway Timeout", "The cell did not respond in time."],
  "body-timeout": [504, "Gateway Timeout", "The cell stopped sending in the middle of its response."],
} as const satisfies Record<string, readonly [status: number, title: string, detail: string]>;

export type ErrorCode = keyof typeof problems;

export function problemOf(code: ErrorCode): Problem {
  const [status, title, detail] = problems[code];
  return { status, title, detail };
}
// #endregion problems

/**
 * Writes the body of an error response.
 * @see https://www.rfc-editor.org/rfc/rfc9457 Problem Details for HTTP APIs
 */
export function problemBody(code: ErrorCode, requestId: string): string {
  const { status, title, detail } = problemOf(code);
  return `${JSON.stringify({ type: `https://shop.example/problems/${code}`, title, status, detail, code, requestId })}\n`;
}

/** The client broke the exchange in the middle of its request's body; `code` says how. */
export class ClientError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, options?: ErrorOptions) {
    super(problemOf(code).detail, options);
    this.name = "ClientError";
    this.code = code;
  }
}

// #region upstream-errors
/** What this machine has run out of: descriptors, memory, local ports. No cell is to blame. */
const exhausted: ReadonlySet<string> = new Set([
  "EMFILE",
  "ENFILE",
  "ENOBUFS",
  "ENOMEM",
  "EAGAIN",
  "EADDRNOTAVAIL",
]);

/** Names what went wrong between the router and a cell. An unknown error counts as a broken upstream. */
export function upstreamErrorCode(error: Error): ErrorCode {
  if (error instanceof errors.ConnectTimeoutError) return "connect-timeout";
  if (error instanceof errors.HeadersTimeoutError) return "head-timeout";
  if (error instanceof errors.BodyTimeoutError) return "body-timeout";
  switch (causeOf(error)) {
    case "ETIMEDOUT":
      // Of an open connection (`read ETIMEDOUT`) it says that the cell stopped acknowledging, and that cell was reached.
      return "syscall" in error && error.syscall !== "connect" ? "upstream-broken" : "connect-timeout";
    case "ECONNREFUSED":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "upstream-unreachable";
    default:
      return exhausted.has(causeOf(error)) ? "router-exhausted" : "upstream-broken";
  }
}

/** The machine-readable code of `error`, such as `ECONNREFUSED`, or an empty string. */
export function causeOf(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : "";
}
// #endregion upstream-errors
