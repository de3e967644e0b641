// Asserts a matter of form inside of a case: when it does not hold, the case goes on, so that what is core is judged too.

import { expect } from "vitest";
import { inFormOnly } from "./grades.ts";

/** Call it in a case, not in what runs beside the cases: the failure belongs to the test that runs now. */
export function expectForm(check: () => void): void {
  expect.soft(check, inFormOnly).not.toThrow();
}
