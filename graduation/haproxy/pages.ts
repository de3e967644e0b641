// The error responses, in the words of m4's `errors.ts`, as arguments of HAProxy's `http-request return` and `http-error`.

import { type ErrorCode, problemOf } from "../../stages/m4/src/errors.ts";

/** Puts text into the configuration as one word. Within single quotes HAProxy leaves everything as it is. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Where the response's body takes the request id from. */
const ids = {
  /** The client's or our own, once the rules have read it. */
  request: "%[var(txn.id)]",
  /** HAProxy's, for what it refuses before any rule runs. */
  unread: "%[unique-id]",
} as const;

export interface PageOptions {
  /** @default "request" */
  readonly id?: keyof typeof ids;
  /** Seconds, or an expression in HAProxy's log format. */
  readonly retryAfter?: number | string;
  /** Ends the connection: what follows on it cannot be trusted. @default false */
  readonly closes?: boolean;
  /** Further fields. */
  readonly fields?: Readonly<Record<string, string>>;
}

/**
 * The part after `status CODE`: a problem body and its fields.
 * @see https://www.rfc-editor.org/rfc/rfc9457 Problem Details for HTTP APIs
 */
function page(
  code: ErrorCode,
  { id = "request", retryAfter, closes = false, fields = {} }: PageOptions,
): string {
  const { status, title, detail } = problemOf(code);
  const type = `urn:cell-routing:problem:${code}`;
  const members = JSON.stringify({ type, title, status, detail, code }).replaceAll("%", "%%").slice(0, -1);
  const body = quoted(`${members},"requestId":"${ids[id]}"}`);
  const all = {
    "Cache-Control": "no-store",
    ...(retryAfter === undefined ? {} : { "Retry-After": String(retryAfter) }),
    ...(closes ? { Connection: "close" } : {}),
    ...fields,
  };
  const written = Object.entries(all).map(([name, value]) => ` hdr ${name} ${quoted(value)}`);
  return `content-type application/problem+json lf-string ${body}${written.join("")}`;
}

/** A rule that refuses a request where `condition` holds. */
export function refuse(code: ErrorCode, condition: string, options: PageOptions = {}): string {
  return `http-request return status ${problemOf(code).status} ${page(code, options)} if ${condition}`;
}

/** Refuses a cell's response where `condition` holds. */
export function refuseResponse(code: ErrorCode, condition: string): string {
  return `http-response return status ${problemOf(code).status} ${page(code, {})} if ${condition}`;
}

/** What a client gets where HAProxy itself gives up with `status`. */
export function errorPage(status: number, code: ErrorCode, options: PageOptions = {}): string {
  return `http-error status ${status} ${page(code, options)}`;
}
