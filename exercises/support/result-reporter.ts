// Writes the results of a test run as one JSON file. It prints nothing: the words are the failure view's.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { UserConsoleLog } from "vitest";
import type { Reporter, SerializedError, TestModule } from "vitest/node";
import type { FailureDetail } from "./check.ts";

export interface ErrorResult {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  /** Present when `check` failed. */
  readonly detail: FailureDetail | undefined;
  /** The stack of what the learner's code threw inside `check`. */
  readonly causeStack: string | undefined;
}

export interface TestResult {
  readonly title: string;
  readonly state: "passed" | "failed" | "skipped" | "pending";
  readonly durationMs: number;
  readonly errors: readonly ErrorResult[];
  /** What the code under test printed meanwhile; cut to its first 4,000 characters. */
  readonly printed: string;
}

export interface ModuleResult {
  /** Absolute path of the assembled test file. */
  readonly file: string;
  /** Why the file could not be loaded: a syntax error, an import that does not exist, an error at its top level. */
  readonly errors: readonly ErrorResult[];
  readonly tests: readonly TestResult[];
}

export interface RunResults {
  readonly modules: readonly ModuleResult[];
  /** Errors that nothing caught: a floating promise, an `error` event without a listener. */
  readonly unhandled: readonly ErrorResult[];
}

export class ResultReporter implements Reporter {
  readonly #folder: string;
  readonly #printed = new Map<string, string>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  onUserConsoleLog(log: UserConsoleLog): void {
    const id = log.taskId ?? "";
    this.#printed.set(id, ((this.#printed.get(id) ?? "") + log.content).slice(0, 4_000));
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const results: RunResults = {
      modules: modules.map((module) => moduleResult(module, this.#printed)),
      unhandled: unhandled.map(errorResult),
    };
    writeFileSync(join(this.#folder, "results.json"), JSON.stringify(results));
  }
}

function moduleResult(module: TestModule, printed: ReadonlyMap<string, string>): ModuleResult {
  const tests = [...module.children.allTests()].map((test): TestResult => {
    const result = test.result();
    return {
      title: test.name,
      state: result.state,
      durationMs: test.diagnostic()?.duration ?? 0,
      errors: (result.errors ?? []).map(errorResult),
      printed: printed.get(test.id) ?? "",
    };
  });
  return { file: module.moduleId, errors: module.errors().map(errorResult), tests };
}

function errorResult(error: SerializedError): ErrorResult {
  const cause = error.cause as { stack?: unknown } | undefined;
  return {
    name: String(error.name ?? "Error"),
    message: String(error.message),
    stack: String(error.stack ?? ""),
    detail: error["detail"] as FailureDetail | undefined,
    causeStack: typeof cause?.stack === "string" ? cause.stack : undefined,
  };
}
