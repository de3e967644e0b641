// How a validator built with zod finds faults in a JSON document and tells them to the person who wrote it: one line
// a fault, its path first. Knows nothing of routing. No Node API: the same validator runs in a browser.

import { z } from "zod";

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
): z.ZodType<Map<string, Value>> {
  const readEntries = (input: unknown, context: z.RefinementCtx): Map<string, Value> => {
    const entries = new Map<string, Value>();
    if (typeof input !== "object" || input === null || Array.isArray(input)) {
      context.addIssue({ code: "custom", message: expected("an object", input) });
      return z.NEVER;
    }
    for (const name of Object.keys(input)) {
      const keyResult = key.safeParse(name, { error: explain });
      if (!keyResult.success) {
        for (const issue of keyResult.error.issues) context.addIssue({ ...issue, path: [name] });
      }
      const result = value.safeParse(input[name as keyof typeof input], { error: explain });
      if (result.success) entries.set(name, result.data);
      else
        for (const issue of result.error.issues) context.addIssue({ ...issue, path: [name, ...issue.path] });
    }
    checkEntries?.(entries, (path, message) =>
      context.addIssue({ code: "custom", path: [...path], message }),
    );
    return entries;
  };
  const jsonSchema = { type: "object", propertyNames: bare(key), additionalProperties: bare(value) };
  return z.unknown().transform(readEntries).meta(jsonSchema);
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
  if (issue.code === "invalid_value") return expected(issue.values.map(quoted).join(" or "), issue.input);
  return undefined;
}

/** One line a fault, such as `placements.acme.url: missing; expected …`. */
export function faultsOf(issue: z.core.$ZodIssue): readonly string[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => `${pathOf([...issue.path, key])}: unknown property`);
  }
  return [`${pathOf(issue.path)}: ${issue.message}`];
}

/** A path as one would write it in code; the whole document is `(document)`. */
function pathOf(path: readonly PropertyKey[]): string {
  if (path.length === 0) return "(document)";
  const parts = path.map(String).map((part) => (/^[\w$-]+$/.test(part) ? `.${part}` : `[${quoted(part)}]`));
  return parts.join("").replace(/^\./, "");
}

function expected(what: string, input: unknown): string {
  return input === undefined ? `missing; expected ${what}` : `expected ${what}, got ${quoted(input)}`;
}

/** A value in words, cut short: a fault is one line, and what is wrong may be large or deep. */
export function quoted(value: unknown): string {
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "an object";
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
// #endregion faults
