// The one assertion of the exercises. A failure carries what a learner needs to see: what was sent, what was
// expected, what came back, the likely cause and where to look. The runner prints it; nothing is parsed from text.

import { inspect, isDeepStrictEqual } from "node:util";

/** What the failure view shows. Plain strings, so that it survives the way from the test process to the terminal. */
export interface FailureDetail {
  readonly sent: string;
  readonly expected: string;
  readonly got: string;
  readonly likely: string | undefined;
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

/** What became of `got`. */
export type Outcome<T> =
  | { readonly kind: "returned"; readonly value: T }
  | { readonly kind: "threw"; readonly error: unknown }
  /** `within` waited in vain. */
  | { readonly kind: "silent" };

interface Words<T> {
  /** What the test did, in the learner's terms: a call, or a request. */
  readonly sent: string;
  /**
   * What this run shows to be the likely mistake, without giving the answer away. A function sees what came back, and says
   * nothing where that could have several causes.
   */
  readonly likely?: string | ((outcome: Outcome<T>) => string | undefined);
  /** File and function or idea: `route.ts, the look-up of the routing key`. */
  readonly lookAt: string;
  /** Which hint speaks of this failure, counted from 1. */
  readonly hint?: number;
}

/** Either a value to equal, or a condition with the words that say what it wants. */
export type Check<T> = Words<T> & { readonly got: () => T | Promise<T> } & (
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
    const outcome = error instanceof NothingHappened ? silent : { kind: "threw" as const, error };
    throw new CheckFailure(detailOf(wanted, outcome, thrownWords(error), kindOf(error)), error);
  }
  const good = "accept" in wanted ? wanted.accept(got) : isDeepStrictEqual(got, wanted.expected);
  if (good) return;
  const shown = show(got, "accept" in wanted ? undefined : wanted.expected);
  throw new CheckFailure(detailOf(wanted, { kind: "returned", value: got }, shown, "wrong"));
}

const silent = { kind: "silent" } as const;

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

/** For `likely`: what a returned value shows. An error speaks for itself. */
export function shows<T>(say: (got: T) => string | undefined): (outcome: Outcome<T>) => string | undefined {
  return (outcome) => (outcome.kind === "returned" ? say(outcome.value) : undefined);
}

/** A sentence, and of which values it is true. */
type Case<T> = readonly [holds: (got: T) => boolean, sentence: string];

/** For `likely`: the sentence of the first case that holds for a returned value. */
export function ifGot<T>(...cases: readonly Case<T>[]): (outcome: Outcome<T>) => string | undefined {
  return shows((got) => cases.find(([holds]) => holds(got))?.[1]);
}

/** The same, with a sentence for a test that waited in vain. */
export function ifSilentOrGot<T>(
  silent: string | undefined,
  ...cases: readonly Case<T>[]
): (outcome: Outcome<T>) => string | undefined {
  const got = ifGot(...cases);
  return (outcome) => (outcome.kind === "silent" ? silent : got(outcome));
}

/** Text or bytes as one line: `GET / HTTP/1.1\r\n`, with everything that cannot be printed escaped. */
export function printable(bytes: string | Uint8Array): string {
  const text = typeof bytes === "string" ? bytes : Buffer.from(bytes).toString("latin1");
  return JSON.stringify(text);
}

/** An error as a learner has to know it: `ConnectTimeoutError, code "UND_ERR_CONNECT_TIMEOUT": Connect Timeout Error`. */
export function errorWords(error: Error): string {
  const { code } = error as { readonly code?: unknown };
  return `${error.name}${code === undefined ? "" : `, code ${inspect(code)}`}: ${error.message}`;
}

function detailOf<T>(
  wanted: Check<T>,
  outcome: Outcome<T>,
  got: string,
  kind: FailureDetail["kind"],
): FailureDetail {
  const expected = "accept" in wanted ? wanted.expected : show(wanted.expected);
  return {
    sent: wanted.sent,
    expected,
    got,
    likely: likelyOf(wanted, outcome),
    lookAt: wanted.lookAt,
    hint: wanted.hint,
    kind,
  };
}

/** Code that only the compiler refuses may return what no `likely` expects; then nothing is said. */
function likelyOf<T>({ likely }: Check<T>, outcome: Outcome<T>): string | undefined {
  try {
    return typeof likely === "function" ? likely(outcome) : likely;
  } catch {
    return undefined;
  }
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
    : `threw ${errorWords(error)}`;
}

/** @param like Names its keys in the order in which `value` shows them too, so that the two can be compared by eye. */
function show(value: unknown, like?: unknown): string {
  const options = { depth: 6, breakLength: 90, maxStringLength: 2_000, maxArrayLength: 50 };
  return inspect(arranged(value, like), options);
}

/** A copy with keys in the order of `like`, and errors as what is known of them instead of a stack. */
function arranged(value: unknown, like: unknown, depth = 0): unknown {
  // Deeper than is shown, and no way out of a cycle.
  if (depth > 6) return value;
  if (value instanceof Error) return { [inspect.custom]: () => `[${errorWords(value)}]` };
  if (Array.isArray(value))
    return value.map((each, index) =>
      arranged(each, Array.isArray(like) ? like[index] : undefined, depth + 1),
    );
  if (!isPlain(value)) return value;
  const model: Readonly<Record<string, unknown>> = isPlain(like) ? like : {};
  const keys = [...Object.keys(model).filter((key) => Object.hasOwn(value, key)), ...Object.keys(value)];
  const copy = Object.create(Object.getPrototypeOf(value)) as object;
  for (const key of new Set(keys)) {
    const each = { value: arranged(value[key], model[key], depth + 1), enumerable: true };
    Object.defineProperty(copy, key, each);
  }
  return copy;
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
