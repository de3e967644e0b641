// The router of a run: a stage, any program that prints a READY line, or one that runs already.

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isRunning } from "../../shared/testkit/process-by-port.ts";
import { type ExitStatus, Program } from "../../shared/testkit/program.ts";
import { stageEnvironment } from "../../shared/testkit/stage-environment.ts";
import { type Milestone, projectRoot, stageFolder } from "../stages.ts";

/** What is tested, as the command line says it. */
export type Target =
  | { readonly kind: "stage"; readonly stage: Milestone; readonly env: Readonly<Record<string, string>> }
  /** A program, started without a shell. It gets the stages' environment variables. */
  | {
      readonly kind: "command";
      readonly words: readonly string[];
      readonly env: Readonly<Record<string, string>>;
    }
  /** One that is up, and routes to the contract's ports. `pid` lets the run see what it holds. */
  | { readonly kind: "running"; readonly url: string; readonly pid: number | undefined };

export interface RouterUnderTest {
  readonly url: string;
  readonly adminUrl: string | undefined;
  readonly pid: number | undefined;
  /** Settles when the process has ended; never, where it is not known. */
  readonly ended: Promise<void>;
  readonly hasEnded: boolean;
  /** `ended with exit code 1`; undefined while it runs. */
  howItEnded(): string | undefined;
  /** The last lines that it printed, access log left out. */
  lastLines(): readonly string[];
  /** SIGTERM; undefined where the run did not start it. */
  terminate(deadlineMs: number): Promise<ExitStatus | undefined>;
  close(): Promise<void>;
}

/** @throws StartError when it does not come up */
export async function startRouterUnderTest(
  target: Target,
  table: object,
  cells: Readonly<Record<string, string>>,
): Promise<RouterUnderTest> {
  if (target.kind === "running") return runningRouter(target.url, target.pid);
  const folder = join(
    projectRoot,
    ".state",
    `chaos-${process.pid}-${Math.random().toString(36).slice(2, 8)}`,
  );
  mkdirSync(folder, { recursive: true });
  const routingFile = join(folder, "routing.json");
  writeFileSync(routingFile, JSON.stringify(table));
  const [command = "", ...args] =
    target.kind === "stage"
      ? [process.execPath, join(stageFolder(target.stage), "src/main.ts")]
      : target.words;
  const lines: string[] = [];
  const program = new Program({
    name: target.kind === "stage" ? `the ${target.stage} router` : `"${command}"`,
    command,
    args,
    cwd: target.kind === "stage" ? folder : process.cwd(),
    env: { ...stageEnvironment({ cells, routingFile, stateFolder: join(folder, "state") }), ...target.env },
    ownGroup: true,
    onLine: (line) => {
      if (line.includes('"event":"request"')) return;
      lines.push(line);
      if (lines.length > 40) lines.shift();
    },
  });
  const close = async () => {
    await program.stop("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const ready = await program.ready();
    return {
      url: String(ready["url"]),
      adminUrl: typeof ready["adminUrl"] === "string" ? ready["adminUrl"] : undefined,
      pid: program.pid,
      ended: program.exited.then(() => {}),
      get hasEnded() {
        return program.hasEnded;
      },
      howItEnded: () => program.howItEnded(),
      lastLines: () => lines,
      terminate: (deadlineMs) => program.stop("SIGTERM", deadlineMs),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function runningRouter(url: string, pid: number | undefined): RouterUnderTest {
  let isGone = false;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setInterval(() => {
    if (pid === undefined || isRunning(pid)) return;
    isGone = true;
    resolve();
  }, 100);
  return {
    url,
    adminUrl: undefined,
    pid,
    ended: promise,
    get hasEnded() {
      return isGone;
    },
    howItEnded: () => (isGone ? `process ${pid} is gone` : undefined),
    lastLines: () => [],
    terminate: async () => undefined,
    close: async () => clearInterval(timer),
  };
}
