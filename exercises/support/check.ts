// The one assertion of the exercises. A failure carries what a learner needs to see: what was sent, what was
// expected, what came back, the likely cause and where to look. The runner prints it; nothing is parsed from text.

import { inspect, isDeepStrictEqual } from "node:util";

/** What the failure view shows. Plain strings, so that it survives the way from the test process to the terminal. */
export interface FailureDetail {
  readonly sent: string;
  readonly expected: string;
  readonly got: string;
  readonly likely: string;
  readonly lookAt: string;
  /** Which hint speaks of this failure, counted from 1. */
  readonly hint: number | undefined;
  /** `todo` when the starter's named TODO was reached, so that nobody reads a wrong cause into an unwritten function. */
  readonly kind: "wrong" | "threw" | "todo" | "silent";
}

/** Thrown by `check`; the only error by which a test of an exercise may fail. */
export class CheckFailure extends Error {
  readonly detail: FailureDetail;

  constructor(detail: FailureDetail, cause?: unknown) {
    super(`expected ${detail.expected}, got ${detail.got}`, cause === undefined ? {} : { cause });
    this.name = "CheckFailure";
    this.detail = detail;
  }
}

interface Words {
  /** What the test did, in the learner's terms: a call, or a request. */
  readonly sent: string;
  /** The most likely mistake behind this failure, without giving the answer away. */
  readonly likely: string;
  /** File and function or idea: `route.ts, the look-up of the routing key`. */
  readonly lookAt: string;
  /** Which hint speaks of this failure, counted from 1. */
  readonly hint?: number;
}

/** Either a value to equal, or a condition with the words that say what it wants. */
export type Check<T> = Words & { readonly got: () => T | Promise<T> } & (
    | { readonly expected: T }
    | { readonly expected: string; readonly accept: (got: T) => boolean }
  );

/**
 * Runs `got` and compares what it returns, throws or never delivers with `expected`.
 * Await it always: it works the same for a function that answers at once.
 *
 * @throws CheckFailure
 */
export async function check<T>(wanted: Check<T>): Promise<void> {
  let got: T;
  try {
    got = await wanted.got();
  } catch (error) {
    throw new CheckFailure(detailOf(wanted, thrownWords(error), kindOf(error)), error);
  }
  const good = "accept" in wanted ? wanted.accept(got) : isDeepStrictEqual(got, wanted.expected);
  if (!good) throw new CheckFailure(detailOf(wanted, show(got), "wrong"));
}

/** Thrown by `within`. */
export class NothingHappened extends Error {
  override readonly name = "NothingHappened";
}

/**
 * Waits for something that the learner's code must bring about, and says what is missing when it does not.
 * Use it inside `got`, so that a hang is a failure in words and not a test that timed out.
 *
 * @param ms Deadline in milliseconds; well below the 5 s that a test has.
 * @param what What should have happened: `the response to end`.
 */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new NothingHappened(`waited ${ms} ms for ${what}, in vain`)), ms);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/** Text or bytes as one line: `GET / HTTP/1.1\r\n`, with everything that cannot be printed escaped. */
export function printable(bytes: string | Uint8Array): string {
  const text = typeof bytes === "string" ? bytes : Buffer.from(bytes).toString("latin1");
  return JSON.stringify(text);
}

function detailOf<T>(wanted: Check<T>, got: string, kind: FailureDetail["kind"]): FailureDetail {
  const expected = "accept" in wanted ? wanted.expected : show(wanted.expected);
  return {
    sent: wanted.sent,
    expected,
    got,
    likely: wanted.likely,
    lookAt: wanted.lookAt,
    hint: wanted.hint,
    kind,
  };
}

function kindOf(error: unknown): FailureDetail["kind"] {
  if (error instanceof NothingHappened) return "silent";
  return error instanceof Error && error.message.startsWith("TODO") ? "todo" : "threw";
}

function thrownWords(error: unknown): string {
  if (error instanceof NothingHappened) return `nothing: ${error.message}`;
  if (!(error instanceof Error)) return `threw ${show(error)}`;
  return error.message.startsWith("TODO")
    ? `not written yet: ${error.message}`
    : `threw ${error.name}: ${error.message}`;
}

function show(value: unknown): string {
  return inspect(value, {
    depth: 5,
    breakLength: 90,
    maxStringLength: 400,
    maxArrayLength: 30,
    sorted: true,
  });
}
