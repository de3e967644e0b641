// Holds what a cell got to what the client sent: the right request, at its own placement, whole or visibly cut, and not too
// often. Pure.

import type { RawRequest, RequestHead } from "../../shared/testkit/http-message.ts";
import type { Fault } from "./faults.ts";
import { type PlannedRequest, sizeOf } from "./requests.ts";

export type RequestFault = Pick<Fault, "rule" | "detail">;

/** Two retries, and a connection of the pool that breaks before each attempt. */
const mostArrivals = 6;
const idempotent = new Set([
  "GET",
  "HEAD",
  "OPTIONS",
  "PUT",
  "DELETE",
  "TRACE",
  "PROPFIND",
  "REPORT",
  "SEARCH",
]);

export interface HeadCircumstances {
  readonly cell: string;
  /** How often this request has come, this time included. */
  readonly times: number;
  /** The cells that may serve the request's key. */
  readonly cells: readonly string[];
}

export function headFaults(
  planned: PlannedRequest,
  head: RequestHead,
  { cell, times, cells }: HeadCircumstances,
): RequestFault[] {
  const faults: RequestFault[] = [];
  const say = (rule: string, more = "") =>
    faults.push({ rule, detail: `${cell} got ${lineOf(head)}${more}` });
  if (planned.reach === "none") say("a cell got a request that must be refused");
  // Damaged bytes can be read as another request.
  if (planned.body === undefined) return faults;
  const { method, key } = planned;
  if (head.method !== method) say("a cell got another method than was sent", `, sent as ${method}`);
  if (key !== undefined && !cells.includes(cell))
    say("5 isolation: a cell got a request of another placement", `, whose key is "${key}"`);
  if (times > (idempotent.has(method) ? mostArrivals : 1))
    say("a request was sent to a cell too often", `, ${times} times`);
  return faults;
}

export function bodyFaults(planned: PlannedRequest, cell: string, received: RawRequest): RequestFault[] {
  const { ending, body, bodyBytes } = received;
  if (ending !== "complete") return [];
  if (planned.reach === "part")
    return [
      { rule: "a cell got a whole request out of unclear bytes", detail: `${cell} got ${planned.tag}` },
    ];
  if (planned.body === undefined) return [];
  const { text, times } = planned.body;
  if (bodyBytes === sizeOf(planned.body) && body.equals(Buffer.from(text.repeat(times), "latin1"))) return [];
  const rule = "a cell got another body than was sent, and it looks whole";
  return [{ rule, detail: `${cell} got ${bodyBytes} bytes of ${sizeOf(planned.body)} for ${planned.tag}` }];
}

export function lineOf({ method, target }: RequestHead): string {
  return `${method} ${target.slice(0, 120)}`;
}
