// As much of vitest as the exercises' tests use: `test` and `describe`. The results have the form that vitest's reporter
// gives them in the terminal, so that the same verdict is made of both.

import type { FailureDetail } from "../../exercises/support/check.ts";
import type { ErrorResult, ModuleResult, TestResult } from "../../exercises/support/result-reporter.ts";
import type { TraceEvent } from "../../scripts/exercise/run-outcome.ts";

/** As `exercises/vitest.config.ts` has it. */
const testTimeoutMs = 5_000;
const maxPrinted = 4_000;

interface Case {
  readonly title: string;
  readonly run: () => unknown;
}

export interface Suite {
  /** What `import … from "vitest"` gets. */
  readonly vitest: object;
  readonly cases: readonly Case[];
}

export function newSuite(): Suite {
  const cases: Case[] = [];
  const test = (title: string, run: () => unknown) => {
    cases.push({ title, run });
  };
  const describe = (_title: string, define: () => void) => define();
  return { vitest: { test, it: test, describe }, cases };
}

export interface RunContext {
  /** Loads a test file: defines its tests. */
  readonly load: (path: string) => void;
  readonly trace: (event: TraceEvent) => void;
  /** Hands over what was printed since the last call. */
  readonly takePrinted: () => string;
  readonly now: () => number;
}

/** Loads one test file and runs its tests, one after the other. `file` is what the results call it. */
export async function runModule(
  path: string,
  file: string,
  suite: Suite,
  { load, trace, takePrinted, now }: RunContext,
): Promise<ModuleResult> {
  trace({ event: "load", file, title: "" });
  try {
    load(path);
  } catch (error) {
    return { file, errors: [errorResult(error)], tests: [] };
  }
  const tests: TestResult[] = [];
  takePrinted();
  for (const { title, run } of suite.cases) {
    trace({ event: "start", file, title });
    const startedAtMs = now();
    const errors = await failuresOf(run);
    const printed = takePrinted().slice(0, maxPrinted);
    const state = errors.length === 0 ? "passed" : "failed";
    tests.push({ title, state, durationMs: now() - startedAtMs, errors, printed });
    trace({ event: "end", file, title });
  }
  return { file, errors: [], tests };
}

async function failuresOf(run: () => unknown): Promise<ErrorResult[]> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`Test timed out in ${testTimeoutMs}ms.`)), testTimeoutMs);
  });
  try {
    await Promise.race([Promise.resolve().then(run), deadline]);
    return [];
  } catch (error) {
    return [errorResult(error)];
  } finally {
    clearTimeout(timer);
  }
}

export function errorResult(thrown: unknown): ErrorResult {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const { detail, cause } = error as Error & { readonly detail?: FailureDetail };
  return {
    name: error.name,
    message: error.message,
    stack: error.stack ?? "",
    detail,
    causeStack: cause instanceof Error ? cause.stack : undefined,
  };
}
