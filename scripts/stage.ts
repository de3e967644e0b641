// Runs a milestone: its demo cells, its control plane and its router, and a narrated demo against them.
//
//   npm run stage m1                     start, show the demo, stay up until Ctrl-C
//   npm run stage m1 -- --demo           show the demo and exit
//   npm run stage m1 -- --test           run the stage's tests
//   npm run stage m1 -- --port 8180      router on 8180, every other port moved by the same distance; 0: all free
//   npm run stage m4 -- --port pingora   the router in another language: pingora, go; may stand beside a number
//   npm run stage m3 -- --routers 3      a fleet of three routers (from m3 on)
//   npm run stage m1 -- --overlay DIR    with the files of DIR laid over the stage's src (may be repeated)
//   npm run stage m1 -- --mine           with the files of your exercises laid over it
//   npm run stage m1 -- --json           one JSON line an event, for programs
//
// STAGE_PORT sets the port where --port does not.
//
// Exit codes: 0 good, 1 the request is at fault (a busy port, a wrong flag), 2 a promise of the demo did not hold.

import { existsSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import {
  BrokenPromiseError,
  colours,
  runCommand,
  UsageError,
  type Values,
  wholeNumber,
} from "./command-line.ts";
import { type Demo, runDemo } from "./demo.ts";
import { jsonNarrator, type Narrator, textNarrator } from "./narrator.ts";
import { layOver } from "./overlay.ts";
import { buildPorted, expectStage, type PortedRouter, portedNames, readPortFlags } from "./ported-routers.ts";
import { StartError } from "./processes.ts";
import { packageFile, runHere } from "./run-tool.ts";
import { type Stack, startStack } from "./stack.ts";
import { defaultPort, planStack } from "./stack-plan.ts";
import { listenToTyping } from "./stage-prompt.ts";
import { addressesOf, describeLogLine, isOfDemo, StopSignal } from "./stage-session.ts";
import { type Milestone, parseStage, projectRoot, stageFolder } from "./stages.ts";

const usage = `Usage: npm run stage m1 [-- flags]
  --demo          show the demo and exit
  --test          run the stage's tests
  --port N        port of the router (${defaultPort}); the others keep their distance to it; 0 takes free ports
  --port NAME     the router in another language: ${portedNames.join(", ")}; built first, see ports/
  --routers N     number of routers, 1 to 10 (from m3 on)
  --overlay DIR   lay the files of DIR over the stage's src; may be repeated
  --mine          lay the files of your exercises over the stage
  --json          one JSON line an event
  --help          this text`;

const options = {
  demo: { type: "boolean" },
  test: { type: "boolean" },
  port: { type: "string", multiple: true },
  routers: { type: "string" },
  overlay: { type: "string", multiple: true },
  mine: { type: "boolean" },
  json: { type: "boolean" },
} as const;

async function main(values: Values<typeof options>, words: readonly string[]): Promise<number> {
  if (words.length > 1) throw new UsageError(`name one stage, not "${words.join(" ")}"`);
  const stage = parseStage(words[0]);
  const { port: flag, ported } = readPortFlags(values.port);
  if (ported !== undefined) expectPlain(ported, stage, values);
  if (values.test === true) {
    const other = Object.keys(values).find((name) => name !== "test");
    if (other !== undefined) throw new UsageError(`--test does not go with --${other}`);
    return await runTests(stage);
  }
  const portSetting = flag === undefined ? "STAGE_PORT" : "--port";
  const portText = flag ?? process.env["STAGE_PORT"] ?? String(defaultPort);
  const port = wholeNumber(portSetting, portText, 0, 65_535);
  const routers = wholeNumber("--routers", values.routers ?? "1", 1, 10);
  // Before anything is built or written.
  planStack({ stage, port, routers, stageFolder: stageFolder(stage) });
  const overlays = (values.overlay ?? []).map((folder) => resolve(folder));
  if (values.mine === true) overlays.push(await mineOf(stage));
  const session = {
    stage,
    port,
    routers,
    overlays,
    ported,
    demoOnly: values.demo === true,
    json: values.json === true,
  };
  const run = runSession(session);
  return await (overlays.length === 0 ? run : run.catch(blameOverlay));
}

/** What is laid over a stage, and what tests it, is TypeScript. @throws UsageError */
function expectPlain(
  ported: PortedRouter,
  stage: Milestone,
  values: Readonly<Record<string, unknown>>,
): void {
  expectStage(ported, stage);
  const flag = ["overlay", "mine", "test"].find((name) => values[name] !== undefined);
  if (flag !== undefined) throw new UsageError(`--${flag} does not go with --port ${ported.name}`);
}

interface Session {
  readonly stage: Milestone;
  readonly port: number;
  readonly routers: number;
  readonly overlays: readonly string[];
  readonly ported: PortedRouter | undefined;
  readonly demoOnly: boolean;
  readonly json: boolean;
}

async function runSession(session: Session): Promise<number> {
  const { stage } = session;
  const write = (text: string) => void process.stdout.write(text);
  const tell = session.json ? jsonNarrator(write) : textNarrator(write, colours());
  const stopSignal = new StopSignal();
  // One folder a stack: two stacks on different ports do not disturb each other.
  const suffix = session.port === defaultPort ? "" : `-${session.port || process.pid}`;
  const state = join(projectRoot, ".state", `${stage}${suffix}`);
  const folder = overlaidFolder(session, `${state}-overlay`, tell);
  const { ported } = session;
  const program = ported && (await buildPorted(ported, (text) => tell({ event: "action", text })));
  // Ctrl-C reaches the cells and the routers as well: one may end, or a request fail, before this process hears of it.
  const isStopped = () => stopSignal.raisedWithin(200);
  let isQuiet = true;
  const stack = await startStack({
    stage,
    port: session.port,
    routers: session.routers,
    stageFolder: folder,
    stateFolder: state,
    ...(ported && program && { ported: { router: ported, program } }),
    onLine: (source, line, stream) => {
      if (session.json) tell({ event: "log", source, line });
      else if (stream === "stderr" || (!isQuiet && !isOfDemo(line))) {
        tell({ event: "log", source, line: describeLogLine(line) });
      }
    },
  }).catch(async (error: unknown) => ((await isStopped()) ? undefined : explainStart(error)));
  if (stack === undefined) {
    tell({ event: "stopped", reason: await stopSignal.raised });
    rmSync(`${state}-overlay`, { recursive: true, force: true });
    return 1;
  }
  try {
    tell({ event: "ready", stage, ...addressesOf(stack) });
    const demo = await loadDemo(stage);
    await Promise.race([runDemo(stage, demo, stack, tell, isStopped), stopSignal.raised]);
    if (await stopSignal.raisedWithin(0)) {
      tell({ event: "stopped", reason: await stopSignal.raised });
      return 1;
    }
    if (session.demoOnly) return 0;
    tell({ event: "staying", tryThis: demo.tryThis(stack), ...addressesOf(stack) });
    isQuiet = false;
    if (!session.json && process.stdin.isTTY) listenToTyping(stack);
    return await stayUp(stack, stopSignal, tell);
  } finally {
    isQuiet = true;
    await stack.stop();
    if (session.port === 0) rmSync(state, { recursive: true, force: true });
    rmSync(`${state}-overlay`, { recursive: true, force: true });
  }
}

/** Waits for a signal, or for a router that ends by itself, which is a fault of ours. */
async function stayUp(stack: Stack, stopSignal: StopSignal, tell: Narrator): Promise<number> {
  const ended = stack.routers.map((router) => router.exited.then(() => router));
  const first = await Promise.race([stopSignal.raised, ...ended]);
  // Ctrl-C reaches the routers as well, and one may end before this process hears of it.
  if (typeof first !== "string" && !(await stopSignal.raisedWithin(200))) {
    throw new BrokenPromiseError(`${first.name} ended by itself; its last words stand above`);
  }
  tell({ event: "stopped", reason: typeof first === "string" ? first : await stopSignal.raised });
  return 0;
}

function overlaidFolder(session: Session, target: string, tell: Narrator): string {
  if (session.overlays.length === 0) return stageFolder(session.stage);
  const overlay = layOver(session.stage, session.overlays, target);
  tell({ event: "action", text: `laid over ${session.stage}: ${overlay.files.join(", ")}` });
  return overlay.folder;
}

/** The learner's exercises of this stage, ready to be laid over it. */
async function mineOf(stage: Milestone): Promise<string> {
  // Read only when it is asked for: the engine of the exercises takes its time to load.
  const { buildMineOverlay } = await import("./exercise/overlay.ts");
  const { folder, exercises } = buildMineOverlay(projectRoot, stage);
  if (exercises.length > 0) return folder;
  throw new UsageError(`nothing of yours to lay over ${stage}: open an exercise of ${stage} first`);
}

/** A part that does not start tells why in its last words. */
function explainStart(error: unknown): never {
  if (!(error instanceof StartError)) throw error;
  const words = [error.message, ...error.output.map((line) => `  ${line}`)].join("\n");
  throw new BrokenPromiseError(words, { cause: error });
}

/** What does not hold with a learner's files laid over is not ours to mend: exit code 1. */
function blameOverlay(error: unknown): never {
  if (!(error instanceof BrokenPromiseError)) throw error;
  throw new UsageError(`with the files laid over, ${error.message}`, { cause: error });
}

async function loadDemo(stage: Milestone): Promise<Demo> {
  const file = join(projectRoot, "scripts", "demos", `${stage}.ts`);
  if (!existsSync(file)) return { steps: [], tryThis: () => [] };
  const module = (await import(pathToFileURL(file).href)) as { readonly demo: Demo };
  return module.demo;
}

async function runTests(stage: Milestone): Promise<number> {
  const { code } = await runHere(packageFile("vitest/vitest.mjs"), ["run", "--project", stage]);
  return code === 0 ? 0 : 1;
}

await runCommand({ name: "stage", usage, options }, main);
// Something that still holds the event loop (a pipe, a socket of the demo) must not keep a finished command up.
process.exit();
