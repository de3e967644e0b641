// How a validator built with zod finds faults in a JSON document and reports them to the person who wrote it: one line
// per fault, its path first. Knows nothing of routing. No Node API: the same validator runs in a browser.

import { z } from "zod";

/** More faults than this are counted, not listed: nobody reads on, and logs and responses stay small. */
const maxFaults = 100;

/** More faults than this in one map are not looked for: a document that is wrong everywhere costs no more than a good one. */
const maxFaultsCounted = 10_000;

/** A fault is one line, whatever stands in the document. In characters. */
const maxFaultLength = 300;

// #region map-of
/** Looks at the valid entries of a map together, and reports what is wrong between them. */
export type EntriesCheck<Value> = (
  entries: ReadonlyMap<string, Value>,
  report: (path: readonly string[], message: string) => void,
) => void;

/**
 * A JSON object read as a `Map`. zod's own `z.record` leaves out a key named `__proto__` without a word; here
 * every own key counts, because a routing key may have any name.
 */
export function mapOf<Value>(
  key: z.ZodType<string>,
  value: z.ZodType<Value>,
  checkEntries?: EntriesCheck<Value>,
  maxEntries = Number.POSITIVE_INFINITY,
): z.ZodType<Map<string, Value>> {
  const readEntries = (input: unknown, context: z.RefinementCtx): Map<string, Value> => {
    const entries = new Map<string, Value>();
    if (!isObject(input)) {
      context.addIssue({ code: "custom", message: expected("an object", input) });
      return z.NEVER;
    }
    const names = Object.keys(input);
    if (names.length > maxEntries) {
      context.addIssue({ code: "custom", message: `must have at most ${maxEntries} entries` });
      return z.NEVER;
    }
    const faults = new FaultCount(context);
    for (const name of names) {
      if (faults.isFull) break;
      const keyResult = key.safeParse(name, { error: explain });
      if (!keyResult.success) {
        for (const issue of keyResult.error.issues) faults.add({ ...issue, path: [name] });
      }
      const result = value.safeParse(input[name], { error: explain });
      if (result.success) entries.set(name, result.data);
      else for (const issue of result.error.issues) faults.add({ ...issue, path: [name, ...issue.path] });
    }
    // Checking only some of the entries could report faults that checking all would not.
    if (!faults.isFull)
      checkEntries?.(entries, (path, message) => faults.add({ code: "custom", path: [...path], message }));
    faults.end();
    return entries;
  };
  const jsonSchema = {
    type: "object",
    propertyNames: bare(key),
    additionalProperties: bare(value),
    ...(Number.isFinite(maxEntries) ? { maxProperties: maxEntries } : {}),
  };
  return z.unknown().transform(readEntries).meta(jsonSchema);
}

/** Whether `value` is a JSON object. Ask before walking: a string has millions of "properties", too. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Hands on the first faults of a map and counts the others, which would take more memory than the map itself. */
class FaultCount {
  readonly #context: z.RefinementCtx;
  #found = 0;

  constructor(context: z.RefinementCtx) {
    this.#context = context;
  }

  get isFull(): boolean {
    return this.#found > maxFaultsCounted;
  }

  add(issue: Parameters<z.RefinementCtx["addIssue"]>[0]): void {
    this.#found += 1;
    if (this.#found <= maxFaults) this.#context.addIssue(issue);
  }

  /** Tells `faultsOf` how many were only counted. */
  end(): void {
    const more = this.#found - maxFaults;
    if (more <= 0) return;
    this.#context.addIssue({ code: "custom", params: { more, isFull: this.isFull }, message: "" });
  }
}

function bare(schema: z.ZodType): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: "input" });
  return rest;
}
// #endregion map-of

// #region faults
/** What to say about an issue in place of zod's own words; undefined keeps them. For zod's `error` parameter. */
export function explain(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === "invalid_type") {
    return expected(`${issue.expected === "object" ? "an" : "a"} ${issue.expected}`, issue.input);
  }
  if (issue.code === "too_small" && issue.origin === "string") return "must not be empty";
  if (issue.code === "too_big" && issue.origin === "string")
    return `must have at most ${issue.maximum} characters`;
  if (issue.code === "invalid_value") return expected(issue.values.map(quoted).join(" or "), issue.input);
  // zod's own words would list all of them.
  if (issue.code === "unrecognized_keys") return "unknown property";
  return undefined;
}

/**
 * One line per fault, such as `placements.acme.url: missing; expected …`, of all issues or of one. The last line may say how
 * many more there are.
 */
export function faultsOf(issues: readonly z.core.$ZodIssue[] | z.core.$ZodIssue): readonly string[] {
  const faults: string[] = [];
  let more = 0;
  let isFull = false;
  const all = "code" in issues ? [issues] : issues;
  for (const issue of all) {
    if (issue.code === "custom" && typeof issue.params?.["more"] === "number") {
      // Passed on its own, it comes after `maxFaults` others that were reported.
      more += issue.params["more"] + (all === issues ? 0 : maxFaults);
      isFull ||= issue.params["isFull"] === true;
      continue;
    }
    const keys = issue.code === "unrecognized_keys" ? issue.keys : undefined;
    const named = keys?.slice(0, maxFaults).map((key) => [...issue.path, key]) ?? [issue.path];
    more += (keys?.length ?? 1) - named.length;
    faults.push(...named.map((path) => faultAt(path, issue.message)));
  }
  return firstFaults(faults, more, isFull);
}

/** One fault as a line. */
export function faultAt(path: readonly PropertyKey[], message: string): string {
  return cut(`${pathOf(path)}: ${message}`, maxFaultLength);
}

/** The first of `faults`; the rest is counted, together with the `more` that are not among them. */
export function firstFaults(faults: readonly string[], more = 0, isFull = false): readonly string[] {
  const rest = faults.length + more - maxFaults;
  if (rest <= 0) return faults;
  const howMany = isFull ? `more than ${maxFaultsCounted - maxFaults}` : rest;
  return [...faults.slice(0, maxFaults), `… and ${howMany} more`];
}

/** A path as one would write it in code; the whole document is `(document)`. */
function pathOf(path: readonly PropertyKey[]): string {
  if (path.length === 0) return "(document)";
  const parts = path
    .map(String)
    .map((part) => (/^[\w$-]+$/.test(part) ? `.${cut(part, 80)}` : `[${quoted(part)}]`));
  return parts.join("").replace(/^\./, "");
}

function expected(what: string, input: unknown): string {
  return input === undefined ? `missing; expected ${what}` : `expected ${what}, got ${quoted(input)}`;
}

/** A value in words, cut short: a fault is one line, and what is wrong may be large or deep. */
export function quoted(value: unknown): string {
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "an object";
  const text = typeof value === "string" ? JSON.stringify(value.slice(0, 100)) : String(value);
  return cut(text, 80);
}

function cut(text: string, maxLength: number): string {
  return text.length > maxLength ? `${text.slice(0, maxLength)}…` : text;
}
// #endregion faults
