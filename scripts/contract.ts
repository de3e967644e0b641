// Runs a milestone's contract against any router, in any language: one that is up already, or a program that the suite starts.
//
//   npm run contract -- m1 http://127.0.0.1:8080
//   npm run contract -- m1 http://127.0.0.1:8080 --ports visa=9104,tier1=9101,tier2=9102,tier3=9103
//   npm run contract -- m1 http://127.0.0.1:8080 --only "slow" --json
//   npm run contract -- m3 --start './router --quiet'
//
// The suite plays the cells. For a router that is up already it listens on the endpoint ports: stop the demo cells first.
// A program gets free ports and the stages' environment variables, so the cases that need its log, its memory or its process
// run too. When the router's process ends, the suite says so and stops.
//
// Exit codes: 0 the contract holds, 1 it does not (or the request is at fault), 2 the suite itself could not run.

import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { type Reporter, startVitest, type TestCase, type TestModule, type TestSuite } from "vitest/node";
import { defaultPorts, parsePorts } from "../shared/contract/target.ts";
import {
  BrokenPromiseError,
  colours,
  commandWords,
  readArguments,
  runProgram,
  UsageError,
} from "./command-line.ts";
import { firstBusyPort, portHolder } from "./ports.ts";
import { projectRoot } from "./stages.ts";

const usage = `Usage: npm run contract -- m1 http://127.0.0.1:8080 [flags]
       npm run contract -- m1 --start COMMAND [flags]
  --start WORDS  a program to start, without a shell; it prints a READY line when it accepts
  --ports LIST   where the router looks for the cells (visa=9004,tier1=9001,tier2=9002,tier3=9003)
  --only TEXT    only the cases whose title contains TEXT
  --admin URL    the router's admin port, for the contracts of m2 and m4
  --json         one JSON object at the end, for programs
  --help         this text`;

const options = {
  start: { type: "string" },
  ports: { type: "string" },
  only: { type: "string" },
  admin: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean" },
} as const;

async function main(): Promise<number> {
  const { values, positionals } = readArguments(options);
  if (values.help === true) {
    console.log(usage);
    return 0;
  }
  const [name, address, ...others] = positionals;
  if (name === undefined || others.length > 0)
    throw new UsageError("name a contract and a router, as in: npm run contract -- m1 http://127.0.0.1:8080");
  const suite = suiteFile(name);
  const router = await preparedRouter(name, address, values);
  const tell = values.json === true ? () => {} : (line: string) => console.log(line);
  const report = await runSuite(suite, values.only, tell);
  if (values.json === true) console.log(JSON.stringify({ contract: name, ...router.facts, ...report }));
  const { passed, failed, notRun } = report;
  const rest = notRun === 0 ? "" : `, ${notRun} not run because the router has ended`;
  tell(`Contract ${name} ${router.where}: ${passed} hold, ${failed} broken${rest}`);
  return failed > 0 ? 1 : 0;
}

interface PreparedRouter {
  /** `at http://127.0.0.1:8080`, or which program. */
  readonly where: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

/** Checks what the caller says about the router, and hands it over to the suite's process, which inherits the variables. */
async function preparedRouter(
  name: string,
  address: string | undefined,
  values: { readonly start?: string; readonly ports?: string; readonly admin?: string },
): Promise<PreparedRouter> {
  const { start, admin } = values;
  if ((address === undefined) === (start === undefined))
    throw new UsageError("name one router: its URL, or --start and the command of a program");
  if (start !== undefined) {
    for (const flag of ["ports", "admin"] as const)
      if (values[flag] !== undefined) throw new UsageError(`--${flag} is for a router that is up already`);
    const words = commandWords(start);
    if (words.length === 0) throw new UsageError("--start takes a command");
    process.env["CONTRACT_START"] = JSON.stringify(words);
    return { where: `with ${start}`, facts: { start: words } };
  }
  if (name === "m3")
    throw new UsageError("the contract of m3 starts and ends routers itself: use --start COMMAND");
  const url = parseUrl("the router's URL", address ?? "");
  const adminUrl = admin === undefined ? undefined : parseUrl("--admin", admin);
  if (name !== "m1" && admin === undefined)
    throw new UsageError(`the contract of ${name} needs the admin port: --admin http://127.0.0.1:8082`);
  const ports = readPorts(values.ports);
  await expectReachable(url);
  await expectFree(ports);
  const list = Object.entries(ports).map(([placement, port]) => `${placement}=${port}`);
  process.env["CONTRACT_URL"] = url.origin;
  process.env["CONTRACT_PORTS"] = list.join(",");
  if (adminUrl !== undefined) process.env["CONTRACT_ADMIN_URL"] = adminUrl.origin;
  return { where: `at ${url.origin}`, facts: { url: url.origin } };
}

/** The suite of a milestone, relative to the project. */
function suiteFile(name: string): string {
  const folder = join(projectRoot, "shared", "contract");
  const known = readdirSync(folder).filter((each) => existsSync(join(folder, each, "against-router.ts")));
  if (!known.includes(name)) throw new UsageError(`unknown contract "${name}": one of ${known.join(", ")}`);
  return `shared/contract/${name}/against-router.ts`;
}

function parseUrl(what: string, address: string): URL {
  const url = URL.parse(address);
  if (url === null || url.protocol !== "http:") {
    throw new UsageError(`write ${what} as http://host:port; got "${address}"`);
  }
  return url;
}

function readPorts(text: string | undefined): Record<string, number> {
  try {
    return { ...defaultPorts, ...parsePorts(text ?? "") };
  } catch (error) {
    throw new UsageError(`--ports: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function expectReachable(url: URL): Promise<void> {
  const socket = connect({ host: url.hostname, port: Number(url.port || 80) });
  try {
    await once(socket, "connect", { signal: AbortSignal.timeout(3000) });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? ` (${error.code})` : "";
    throw new UsageError(`nothing accepts connections at ${url.origin}${code}: start the router first`);
  } finally {
    socket.destroy();
  }
}

async function expectFree(ports: Readonly<Record<string, number>>): Promise<void> {
  const needs = Object.entries(ports).map(([name, port]) => ({ name, port }));
  const busy = await firstBusyPort(needs);
  if (busy === undefined) return;
  const holder = portHolder(busy.port);
  throw new UsageError(
    `port ${busy.port} is busy${holder === undefined ? "" : `, held by ${holder}`}: the suite itself plays the cell ` +
      `"${busy.name}" there. Stop the cells, or point the router and --ports elsewhere`,
  );
}

interface Report {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Of the skipped ones: those behind the case in which the router ended. */
  readonly notRun: number;
  readonly failures: readonly Failure[];
}

interface Failure {
  readonly title: string;
  readonly message: string;
}

async function runSuite(
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
  if (broken.some((each) => each.includes("READY line"))) throw new UsageError(broken.join("\n"));
  if (broken.length > 0) throw new BrokenPromiseError(`the suite could not run: ${broken.join("\n")}`);
  if (report.passed + report.failed === 0) throw new UsageError(`no case has "${only ?? ""}" in its title`);
  return report;
}

/** Tells each case as it ends, and keeps what failed. Vitest's own reporters tell the skipped ones one by one, too. */
class ContractReporter implements Reporter {
  readonly #tell: (line: string) => void;
  readonly #failures: Failure[] = [];
  readonly #broken: string[] = [];
  readonly #count = { passed: 0, failed: 0, skipped: 0, notRun: 0 };

  constructor(tell: (line: string) => void) {
    this.#tell = tell;
  }

  result(): Report & { readonly broken: readonly string[] } {
    return { ...this.#count, failures: this.#failures, broken: this.#broken };
  }

  onTestCaseResult(testCase: TestCase): void {
    const result = testCase.result();
    if (result.state === "pending") return;
    this.#count[result.state] += 1;
    // The first name is the suite's own.
    const title = testCase.fullName.split(" > ").slice(1).join(" > ");
    const colour = colours();
    if (result.state === "passed") return this.#tell(`${colour.green("ok")}       ${title}`);
    if (result.state === "skipped") {
      // Without a note it is a case that --only left out; and nobody wants to read of every case behind the last one.
      if (result.note?.startsWith("not run:") === true) this.#count.notRun += 1;
      else if (result.note !== undefined) this.#tell(`${colour.yellow("skipped")}  ${title}: ${result.note}`);
      return;
    }
    const message = result.errors.map((error) => describeError(error)).join("\n");
    this.#failures.push({ title, message });
    this.#tell(`${colour.red("failed")}   ${title}\n${message.replace(/^/gm, "         ")}`);
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

await runProgram("contract", main);
