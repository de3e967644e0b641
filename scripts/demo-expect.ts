// What a demo shows of a response, and whether it is what the lesson promises. A fault is words, or undefined.

import { ask, type ReceivedResponse } from "./http-request.ts";
import type { Fields } from "./narrator.ts";

/** What a response must be. Fields that are not named are not looked at. */
export interface Expected {
  readonly status: number;
  readonly routedTo?: string;
  readonly reason?: string;
  /** Response fields by lower-case name; undefined means that the field must be absent. */
  readonly headers?: Readonly<Record<string, string | RegExp | undefined>>;
  readonly body?: RegExp;
}

/** A 200 of the placement's own cell. */
export function servedBy(cell: string, reason: string): Expected {
  return { status: 200, routedTo: cell, reason, headers: { "x-cell": cell } };
}

/** What fields of the admin port must be, by path; undefined means that a field must be absent. */
export type ExpectedFields = Readonly<Record<string, RegExp | undefined>>;

/** Response fields that a demo always shows when they are there. */
const shownFields = [
  "X-Routed-To",
  "X-Route-Reason",
  "X-Failover-From",
  "X-Failover-Reason",
  "X-Retry-Count",
  "Retry-After",
];

export function shownOf(response: ReceivedResponse): Record<string, string> {
  const shown: Record<string, string> = {};
  for (const name of shownFields) {
    const value = response.headers[name.toLowerCase()];
    if (value !== undefined) shown[name] = String(value);
  }
  const isProblem = response.headers["content-type"]?.startsWith("application/problem+json") === true;
  if (isProblem) shown["code"] = String((JSON.parse(response.body) as { code?: unknown }).code);
  return shown;
}

export function faultOf(response: ReceivedResponse, expected: Expected): string | undefined {
  if (response.status !== expected.status)
    return `expected status ${expected.status}, got ${response.status}`;
  const headers: Record<string, string | RegExp | undefined> = {};
  if (expected.routedTo !== undefined) headers["x-routed-to"] = expected.routedTo;
  if (expected.reason !== undefined) headers["x-route-reason"] = expected.reason;
  Object.assign(headers, expected.headers);
  for (const [name, wanted] of Object.entries(headers)) {
    const got = response.headers[name]?.toString();
    const isRight = wanted instanceof RegExp ? got !== undefined && wanted.test(got) : got === wanted;
    if (!isRight) return `expected ${name} to be ${wanted ?? "absent"}, got ${got ?? "none"}`;
  }
  if (expected.body && !expected.body.test(response.body)) return `expected a body like ${expected.body}`;
  return undefined;
}

/** Fields of a JSON response by path (`lastError.faults`), as text; a list of texts has one per line. */
export async function readFields(url: string, names: readonly string[]): Promise<Fields> {
  const { body } = await ask({ url });
  const json: unknown = JSON.parse(body);
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = name
        .split(".")
        .reduce<unknown>((each, part) => (each as Record<string, unknown>)?.[part], json);
      return value === undefined ? [] : [[name, textOf(value)]];
    }),
  );
}

/** Those of `fields` that `names` has. */
export function pick(fields: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => names.includes(name)));
}

export function fieldFault(fields: Fields, expected: ExpectedFields): string | undefined {
  for (const [name, wanted] of Object.entries(expected)) {
    const got = fields[name];
    if (wanted === undefined ? got === undefined : got !== undefined && wanted.test(got)) continue;
    return `expected ${name} to be ${wanted ?? "absent"}, got ${got ?? "none"}`;
  }
  return undefined;
}

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  const isList = Array.isArray(value) && value.every((each) => typeof each === "string");
  return isList ? value.join("\n") : JSON.stringify(value);
}
