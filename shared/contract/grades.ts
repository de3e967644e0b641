// What a case of a contract weighs, so that a router which is not of this repository can be judged by it:
//
//   core    framing, isolation, streaming, truthful endings, survival: every router must hold it
//   form    how this workbook says a thing: problem bodies, exact statuses, log fields, metrics
//   policy  stricter than the standards on purpose, or more than they ask: bare LF, `%zz`, trailers, expectations
//
// A case is core unless it, or a `describe` around it, says otherwise: `test("…", policy, async () => …)`. A core case that
// fails only in what it asserts with `expectForm` counts as form.

export const grades = ["core", "form", "policy"] as const;
export type Grade = (typeof grades)[number];

declare module "vitest" {
  interface TaskMeta {
    grade?: Grade;
  }
}

export const form = { meta: { grade: "form" } } as const satisfies { readonly meta: { grade: Grade } };
export const policy = { meta: { grade: "policy" } } as const satisfies { readonly meta: { grade: Grade } };

/** Begins the message of an assertion that is a matter of form. */
export const inFormOnly = "in form only";

/** The grade under which a case is counted: its own, or form where nothing else of a core case is broken. */
export function countedAs(own: Grade | undefined, failures: readonly string[]): Grade {
  const grade = own ?? "core";
  const isFormOnly = failures.length > 0 && failures.every((message) => message.startsWith(inFormOnly));
  return grade === "core" && isFormOnly ? "form" : grade;
}
