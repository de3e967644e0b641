// Runs a milestone's contract against a router that is up already: a stage, or a port of it in any language.
//
//   npm run contract -- m1 http://127.0.0.1:8080
//   npm run contract -- m1 http://127.0.0.1:8080 --ports visa=9104,tier1=9101,tier2=9102,tier3=9103
//   npm run contract -- m1 http://127.0.0.1:8080 --only "slow" --json
//
// The suite listens on the endpoint ports itself, in the place of the cells: stop the demo cells first.
//
// Exit codes: 0 the contract holds, 1 it does not (or the request is at fault), 2 the suite itself could not run.

import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { type Reporter, startVitest, type TestCase, type TestModule, type TestSuite } from "vitest/node";
import { defaultPorts, parsePorts } from "../shared/contract/target.ts";
import { BrokenPromiseError, colours, readArguments, runProgram, UsageError } from "./command-line.ts";
import { firstBusyPort, portHolder } from "./ports.ts";
import { projectRoot } from "./stages.ts";

const usage = `Usage: npm run contract -- m1 http://127.0.0.1:8080 [flags]
  --ports LIST   where the router looks for the cells (visa=9004,tier1=9001,tier2=9002,tier3=9003)
  --only TEXT    only the cases whose title contains TEXT
  --admin URL    the router's admin port, for the contract of m4
  --json         one JSON object at the end, for programs
  --help         this text`;

const options = {
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
  if (name === undefined || address === undefined || others.length > 0)
    throw new UsageError("name a contract and a router, as in: npm run contract -- m1 http://127.0.0.1:8080");
  const suite = suiteFile(name);
  const url = parseUrl("the router's URL", address);
  const admin = values.admin === undefined ? undefined : parseUrl("--admin", values.admin);
  const ports = readPorts(values.ports);
  await expectReachable(url);
  await expectFree(ports);
  const list = Object.entries(ports).map(([placement, port]) => `${placement}=${port}`);
  // The suite's process inherits them.
  process.env["CONTRACT_URL"] = url.origin;
  process.env["CONTRACT_PORTS"] = list.join(",");
  if (admin !== undefined) process.env["CONTRACT_ADMIN_URL"] = admin.origin;
  const tell = values.json === true ? () => {} : (line: string) => console.log(line);
  const report = await runSuite(suite, values.only, tell);
  if (values.json === true) console.log(JSON.stringify({ contract: name, url: url.origin, ...report }));
  const { passed, failed } = report;
  tell(`Contract ${name} at ${url.origin}: ${passed} hold, ${failed} broken`);
  return failed > 0 ? 1 : 0;
}

/** The suite of a milestone, relative to the project. */
function suiteFile(name: string): string {
  const folder = join(projectRoot, "shared", "contract");
  const known = readdirSync(folder).filter((each) => existsSync(join(folder, each, "against-url.ts")));
  if (!known.includes(name)) throw new UsageError(`unknown contract "${name}": one of ${known.join(", ")}`);
  return `shared/contract/${name}/against-url.ts`;
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
  if (broken.length > 0) throw new BrokenPromiseError(`the suite could not run: ${broken.join("\n")}`);
  if (report.passed + report.failed === 0) throw new UsageError(`no case has "${only ?? ""}" in its title`);
  return report;
}

/** Tells each case as it ends, and keeps what failed. Vitest's own reporters tell the skipped ones one by one, too. */
class ContractReporter implements Reporter {
  readonly #tell: (line: string) => void;
  readonly #failures: Failure[] = [];
  readonly #broken: string[] = [];
  readonly #count = { passed: 0, failed: 0, skipped: 0 };

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
      // Without a note it is a case that --only left out.
      if (result.note !== undefined) this.#tell(`${colour.yellow("skipped")}  ${title}: ${result.note}`);
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
