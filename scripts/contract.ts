// Runs a milestone's contract against any router, in any language: one that is up already, or a program that the suite starts.
//
//   npm run contract -- m1 http://127.0.0.1:8080
//   npm run contract -- m1 http://127.0.0.1:8080 --ports visa=9104,tier1=9101,tier2=9102,tier3=9103
//   npm run contract -- m1 http://127.0.0.1:8080 --only "slow" --json
//   npm run contract -- m3 --start './router --quiet'
//   npm run contract -- m1 --start ./router --only routing      one group; what each run finds is kept
//   npm run contract -- m1 --start ./router --progress          which groups hold, and which one is next
//
// The suite plays the cells. For a router that is up already it listens on the endpoint ports: stop the demo cells first.
// A program gets free ports and the stages' environment variables, so the cases that need its log, its memory or its process
// run too. When the router's process ends, the suite says so and stops.
//
// Each case is core, form or policy (shared/contract/grades.ts). A router that is not of this repository may miss form and
// policy: --allow form,policy.
//
// Exit codes: 0 the contract holds, 1 it does not (or the request is at fault), 2 the suite itself could not run.

import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { type Grade, grades } from "../shared/contract/grades.ts";
import { killDescendants } from "../shared/testkit/process-by-port.ts";
import { commandWords, httpUrl, runCommand, UsageError, type Values } from "./command-line.ts";
import { readPorts } from "./contract/ports-flag.ts";
import { keepProgress, mergedGroups, progressLines, readProgress } from "./contract/progress.ts";
import { runSuite } from "./contract/report.ts";
import { firstBusyPort, portHolder } from "./ports.ts";
import { StopSignal } from "./stage-session.ts";
import { projectRoot } from "./stages.ts";

const usage = `Usage: npm run contract -- m1 http://127.0.0.1:8080 [flags]
       npm run contract -- m1 --start COMMAND [flags]
  --start WORDS  a program to start, without a shell; it prints a READY line when it accepts
  --ports LIST   where the router looks for the cells (visa=9004,tier1=9001,tier2=9002,tier3=9003)
  --only TEXT    only the cases whose title contains TEXT
  --admin URL    the router's admin port, for the contracts of m2 and m4
  --allow LIST   grades that may be broken: form, policy
  --progress     with --start: what earlier runs found, group by group, without running anything
  --json         one JSON object at the end, for programs
  --help         this text`;

const options = {
  start: { type: "string" },
  ports: { type: "string" },
  only: { type: "string" },
  admin: { type: "string" },
  allow: { type: "string" },
  progress: { type: "boolean" },
  json: { type: "boolean" },
} as const;

async function main(values: Values<typeof options>, words: readonly string[]): Promise<number> {
  const [name, address, ...others] = words;
  if (name === undefined || others.length > 0)
    throw new UsageError("name a contract and a router, as in: npm run contract -- m1 http://127.0.0.1:8080");
  const suite = suiteFile(name);
  const allowed = readGrades(values.allow ?? "");
  const tell = values.json === true ? () => {} : (line: string) => console.log(line);
  const key = `${name} ${values.start ?? ""}`;
  if (values.progress === true) return tellProgress(key, values);
  const router = await preparedRouter(name, address, values);
  const stopped = new StopSignal().raised.then((why) => {
    throw new UsageError(`stopped (${why}): nothing was judged`);
  });
  const report = await Promise.race([runSuite(suite, values.only, tell), stopped]);
  if (values.json === true) console.log(JSON.stringify({ contract: name, ...router.facts, ...report }));
  const { passed, failed, notRun } = report;
  const rest = notRun === 0 ? "" : `, ${notRun} not run because the router has ended`;
  tell(`Contract ${name} ${router.where}: ${passed} hold, ${failed} broken${rest}`);
  for (const grade of grades) {
    const counts = report.grades[grade];
    tell(`  ${grade.padEnd(6)}  ${counts.passed} hold, ${counts.failed} broken`);
  }
  if (values.start !== undefined) {
    const groups = mergedGroups(report.cases, readProgress(key));
    await keepProgress(key, groups);
    if (values.only !== undefined) tell(progressLines(groups).at(-1) ?? "");
  }
  return grades.some((grade) => report.grades[grade].failed > 0 && !allowed.includes(grade)) ? 1 : 0;
}

/** Reads `form,policy`. @throws UsageError for core, which no router may break */
function readGrades(text: string): readonly Grade[] {
  return text
    .split(",")
    .filter((word) => word !== "")
    .map((word) => {
      if (word === "form" || word === "policy") return word;
      throw new UsageError(`--allow takes form, policy or both, with a comma between; got "${word}"`);
    });
}

/** Shows what earlier runs have found, without a run. */
function tellProgress(key: string, values: { readonly start?: string; readonly json?: boolean }): number {
  if (values.start === undefined)
    throw new UsageError("--progress needs --start: progress is kept for a program");
  const groups = readProgress(key);
  if (values.json === true) console.log(JSON.stringify(groups));
  else console.log(groups.length === 0 ? "no group has been run yet" : progressLines(groups).join("\n"));
  return 0;
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
  const url = httpUrl("the router's URL", address ?? "");
  const adminUrl = admin === undefined ? undefined : httpUrl("--admin", admin);
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

// The suite's process may be in the middle of a case, with routers that it has started.
process.once("exit", () => killDescendants(process.pid));
await runCommand({ name: "contract", usage, options }, main);
process.exit();
