// Runs a suite in Vitest and keeps what became of its cases: each is told as it ends, and counted by its grade.

import { stripVTControlCharacters } from "node:util";
import { type Reporter, startVitest, type TestCase, type TestModule, type TestSuite } from "vitest/node";
import { countedAs, type Grade } from "../../shared/contract/grades.ts";
import { BrokenPromiseError, colours, UsageError } from "../command-line.ts";
import { projectRoot } from "../stages.ts";

export interface Counts {
  readonly passed: number;
  readonly failed: number;
}

/** What became of one case. */
export interface CaseResult {
  readonly title: string;
  readonly state: "passed" | "failed" | "skipped";
  /** The case's own grade; that of the failure where it failed in form only. */
  readonly grade: Grade;
}

export interface Failure {
  readonly title: string;
  readonly grade: Grade;
  readonly message: string;
}

export interface Report extends Counts {
  readonly skipped: number;
  /** Of the skipped ones: those behind the case in which the router ended. */
  readonly notRun: number;
  readonly grades: Readonly<Record<Grade, Counts>>;
  readonly failures: readonly Failure[];
  /** Every case of the suite, in its order, those that were not run included. */
  readonly cases: readonly CaseResult[];
}

export async function runSuite(
  file: string,
  only: string | undefined,
  tell: (line: string) => void,
): Promise<Report> {
  const reporter = new ContractReporter(tell);
  const vitest = await startVitest([file], {
    run: true,
    root: projectRoot,
    config: "shared/contract/vitest.config.ts",
    reporters: [reporter],
    silent: true,
    ...(only === undefined ? {} : { testNamePattern: only.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&") }),
  });
  await vitest.close();
  const { broken, ...report } = reporter.result();
  // Whatever it is, a program that does not start is the caller's.
  if (broken.some((each) => /READY line|could not be started/.test(each)))
    throw new UsageError(broken.join("\n"));
  if (broken.length > 0) throw new BrokenPromiseError(`the suite could not run: ${broken.join("\n")}`);
  if (report.passed + report.failed === 0) throw new UsageError(`no case has "${only ?? ""}" in its title`);
  return report;
}

/** Tells each case as it ends, and keeps what failed. Vitest's own reporters tell the skipped ones one by one, too. */
class ContractReporter implements Reporter {
  readonly #tell: (line: string) => void;
  readonly #failures: Failure[] = [];
  readonly #cases: CaseResult[] = [];
  readonly #broken: string[] = [];
  #notRun = 0;

  constructor(tell: (line: string) => void) {
    this.#tell = tell;
  }

  result(): Report & { readonly broken: readonly string[] } {
    const count = (state: CaseResult["state"], grade?: Grade) =>
      this.#cases.filter((each) => each.state === state && (grade ?? each.grade) === each.grade).length;
    const counts = (grade?: Grade) => ({ passed: count("passed", grade), failed: count("failed", grade) });
    return {
      ...counts(),
      skipped: count("skipped"),
      notRun: this.#notRun,
      grades: { core: counts("core"), form: counts("form"), policy: counts("policy") },
      failures: this.#failures,
      cases: this.#cases,
      broken: this.#broken,
    };
  }

  onTestCaseResult(testCase: TestCase): void {
    const result = testCase.result();
    if (result.state === "pending") return;
    // The first name is the suite's own.
    const title = testCase.fullName.split(" > ").slice(1).join(" > ");
    const messages = (result.errors ?? []).map(({ message }) => message);
    const grade = countedAs(testCase.meta().grade, messages);
    this.#cases.push({ title, state: result.state, grade });
    const colour = colours();
    if (result.state === "passed") return this.#tell(`${colour.green("ok")}       ${title}`);
    if (result.state === "skipped") {
      // Without a note it is a case that --only left out; and nobody wants to read of every case behind the last one.
      if (result.note?.startsWith("not run:") === true) this.#notRun += 1;
      else if (result.note !== undefined) this.#tell(`${colour.yellow("skipped")}  ${title}: ${result.note}`);
      return;
    }
    const message = result.errors.map((error) => describeError(error)).join("\n");
    this.#failures.push({ title, grade, message });
    const mark = grade === "core" ? "" : ` (${grade})`;
    this.#tell(`${colour.red("failed")}   ${title}${mark}\n${message.replace(/^/gm, "         ")}`);
  }

  onTestSuiteResult(suite: TestSuite): void {
    this.#broken.push(...suite.errors().map((error) => error.message));
  }

  onTestModuleEnd(module: TestModule): void {
    this.#broken.push(...module.errors().map((error) => error.message));
  }

  onTestRunEnd(_: readonly TestModule[], errors: readonly ErrorLike[]): void {
    this.#broken.push(...errors.map((error) => error.message));
  }
}

/** What Vitest hands over of an error in the suite's process. */
interface ErrorLike {
  readonly message: string;
  readonly diff?: string;
}

function describeError({ message, diff }: ErrorLike): string {
  return diff === undefined ? message : `${message}\n${stripVTControlCharacters(diff)}`;
}
