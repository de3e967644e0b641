// Starts a stage's router as the process that a learner would start, and waits for its READY line. It knows the
// environment variables of the stages and nothing else about them.

import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually, within } from "./eventually.ts";
import { objectIn } from "./json-text.ts";
import { type ExitStatus, Program, StartError } from "./program.ts";
import { stageEnvironment } from "./stage-environment.ts";

export type { ExitStatus } from "./program.ts";

export type Stage = "m1" | "m2" | "m3" | "m4" | "m5";

/** Endpoint URL of each placement, by name. */
export type EndpointUrls = Readonly<Record<string, string>>;

export interface RouterOptions {
  readonly stage: Stage;
  /** Endpoints of the contract's placements; those not named keep their default port. */
  readonly endpoints?: EndpointUrls;
  /** A routing table for the stages from m2 on, instead of the contract's table over `endpoints`. */
  readonly routing?: unknown;
  /** What the routing file holds, table or not; null for no file at all. Wins over `routing`. */
  readonly routingText?: string | null;
  /** Set last, so it wins over everything that the harness sets; `undefined` unsets. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The file to start, when it is not the stage's own. */
  readonly main?: string;
  /** A program to start instead, with its arguments: a router in any language, at what `stage` promises. */
  readonly command?: readonly string[];
  /** It leads a process group of its own, and its end is that of all that it has started. @default false */
  readonly ownGroup?: boolean;
  /** @default 15000 */
  readonly readyDeadlineMs?: number;
  /** Descriptor for its standard output, or for both outputs; without it, this class reads them. */
  readonly output?: { readonly stdout: number; readonly stderr?: number };
  /** A program, with its arguments, that starts the command given after them. */
  readonly launcher?: readonly string[];
}

/** One line of the router's standard output, parsed. Lines that are not JSON objects are left out. */
export type LogLine = Readonly<Record<string, unknown>>;

/** The placements of the contract's table; m1 knows no others. */
const contractPlacements = ["visa", "tier1", "tier2", "tier3"];

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The routing table that the m1 contract asks for, in the file format of m2 and later. */
export function contractRouting(endpoints: EndpointUrls = {}): unknown {
  const placement = (name: string, kind: string, port: number) => ({
    kind,
    url: endpoints[name] ?? `http://127.0.0.1:${port}`,
  });
  return {
    version: "1.0.0",
    defaultPlacement: "tier3",
    routingTable: { visa: "visa", acme: "tier1", globex: "tier2", initech: "tier3" },
    placements: {
      visa: placement("visa", "dedicated", 9004),
      tier1: placement("tier1", "tier", 9001),
      tier2: placement("tier2", "tier", 9002),
      tier3: placement("tier3", "tier", 9003),
    },
  };
}

export class RouterProcess implements AsyncDisposable {
  readonly stage: Stage;
  /** Holds this router's files: `routing.json`, `state/`. Removed by `stop`. */
  readonly directory: string;
  readonly program: Program;
  readonly #lines: LogLine[] = [];
  #stderr = "";

  /** @param command The program to start, with its arguments. */
  constructor(
    options: Pick<RouterOptions, "stage" | "output" | "command" | "ownGroup">,
    directory: string,
    command: readonly string[],
    env: Readonly<Record<string, string | undefined>>,
  ) {
    const { stage, output } = options;
    const [program = "", ...args] = command;
    this.stage = stage;
    this.directory = directory;
    this.program = new Program({
      name: `The ${stage} router`,
      command: program,
      args,
      // A command may name files from where it was given.
      ...(options.command === undefined ? { cwd: directory } : {}),
      ownGroup: options.ownGroup ?? false,
      env,
      ...(output === undefined ? {} : { output }),
      onLine: (line, stream) => {
        if (stream === "stderr") this.#stderr += `${line}\n`;
        else this.#take(line);
      },
    });
  }

  /** Where clients connect, such as `http://127.0.0.1:43211`. */
  get url(): string {
    return String(this.ready["url"]);
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  get pid(): number {
    return this.program.pid;
  }

  /** The READY line, with whatever the stage adds to it (`adminUrl` …). */
  get ready(): LogLine {
    return this.program.readyLine ?? {};
  }

  /** Every JSON line so far. */
  logs(): readonly LogLine[] {
    return this.#lines;
  }

  stderr(): string {
    return this.#stderr;
  }

  /** Reads its outputs no more, so that they fill up. For Node, they are sockets and not pipes. */
  stallOutputs(): void {
    this.program.stallOutputs();
  }

  /** Closes its outputs: whatever it writes fails. */
  leaveOutputs(): void {
    this.program.leaveOutputs();
  }

  /** How the process ended; undefined while it runs. */
  get exitStatus(): ExitStatus | undefined {
    return this.program.exitStatus;
  }

  /** The first line, past or future, that `predicate` accepts. @throws Error after `deadlineMs` (5000) */
  waitForLog(predicate: (line: LogLine) => boolean, deadlineMs = 5000): Promise<LogLine> {
    const what = `a log line of the ${this.stage} router that fits`;
    return eventually(() => this.#lines.find(predicate), { what, deadlineMs });
  }

  signal(signal: NodeJS.Signals): void {
    this.program.signal(signal);
  }

  /** Resolves when the process has ended. @throws Error after `deadlineMs` (15000) */
  exited(deadlineMs = 15_000): Promise<ExitStatus> {
    return within(this.program.exited, deadlineMs, `the ${this.stage} router exits`);
  }

  /**
   * Sends `signal` (SIGTERM) and waits for the end. A router that does not stop is killed, and its files are removed in
   * any case. @throws Error when it had to be killed
   */
  async stop(signal: NodeJS.Signals = "SIGTERM", deadlineMs = 15_000): Promise<ExitStatus> {
    try {
      if (!this.program.hasEnded) this.signal(signal);
      return await this.exited(deadlineMs);
    } finally {
      await this.program.kill();
      await rm(this.directory, { recursive: true, force: true });
    }
  }

  /** Kills at once: a test that is over does not wait for a drain. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGKILL");
  }

  #take(line: string): void {
    const entry = line.startsWith("{") ? objectIn(line) : undefined;
    // Not JSON after all: a line that some library printed.
    if (entry !== undefined) this.#lines.push(entry);
  }
}

/** Starts a router without waiting for its READY line: for tests of a start-up that must fail. */
export async function spawnRouter(options: RouterOptions): Promise<RouterProcess> {
  const main = options.main ?? join(root, "stages", options.stage, "src", "main.ts");
  if (options.command === undefined && !existsSync(main))
    throw new Error(`Stage ${options.stage} has no ${main}`);
  const directory = await mkdtemp(join(tmpdir(), `cell-routing-${options.stage}-`));
  const command = [...(options.launcher ?? []), ...(options.command ?? [process.execPath, main])];
  const env = { ...(await routerEnvironment(options, directory)), ...options.env };
  return new RouterProcess(options, directory, command, env);
}

/** Starts a stage's router on free ports and waits until it accepts. @throws Error with what it printed if it does not */
export async function startRouter(options: RouterOptions): Promise<RouterProcess> {
  const router = await spawnRouter(options);
  try {
    await router.program.ready(options.readyDeadlineMs ?? 15_000);
    return router;
  } catch (error) {
    await router.stop("SIGKILL").catch(() => {});
    if (!(error instanceof StartError)) throw error;
    const said = error.output.join("\n").trim();
    throw new Error(`${error.message}. It said:\n${said || "(nothing)"}`, { cause: error });
  }
}

/** The same variables for every stage: m1 reads the cells' addresses, the later ones the file. */
async function routerEnvironment(options: RouterOptions, directory: string): Promise<Record<string, string>> {
  const { endpoints = {}, routing, routingText } = options;
  const cells = Object.entries(endpoints).filter(([name]) => contractPlacements.includes(name));
  const file = join(directory, "routing.json");
  const table = routing ?? contractRouting(endpoints);
  if (routingText !== null) await writeFile(file, routingText ?? `${JSON.stringify(table, null, 2)}\n`);
  const stateFolder = join(directory, "state");
  const environment = stageEnvironment({ cells: Object.fromEntries(cells), routingFile: file, stateFolder });
  return { ...environment, NODE_ENV: "test" };
}
