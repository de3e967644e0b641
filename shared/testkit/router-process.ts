// Starts a stage's router as the process that a learner would start, and waits for its READY line. It knows the
// environment variables of the stages and nothing else about them.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { eventually, within } from "./eventually.ts";

export type Stage = "m1" | "m2" | "m3" | "m4" | "m5";

/** Endpoint URL of each placement, by name. */
export type EndpointUrls = Readonly<Record<string, string>>;

export interface RouterOptions {
  readonly stage: Stage;
  /** Endpoints of the contract's placements; those not named keep their default port. */
  readonly endpoints?: EndpointUrls;
  /** A routing table for the stages from m2 on, instead of the contract's table over `endpoints`. */
  readonly routing?: unknown;
  /** Set last, so it wins over everything that the harness sets; `undefined` unsets. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The file to start, when it is not the stage's own. */
  readonly main?: string;
  /** @default 15000 */
  readonly readyDeadlineMs?: number;
  /** Descriptor for its standard output, or for both outputs; without it, this class reads them. */
  readonly output?: { readonly stdout: number; readonly stderr?: number };
  /** A program, with its arguments, that starts the command given after them. */
  readonly launcher?: readonly string[];
}

/** One line of the router's standard output, parsed. Lines that are not JSON objects are left out. */
export type LogLine = Readonly<Record<string, unknown>>;

export interface ExitStatus {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

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
  readonly #child: ChildProcess;
  readonly #lines: LogLine[] = [];
  readonly #exited: Promise<ExitStatus>;
  #stderr = "";
  #exit: ExitStatus | undefined;

  constructor(stage: Stage, directory: string, child: ChildProcess) {
    this.stage = stage;
    this.directory = directory;
    this.#child = child;
    this.#exited = new Promise((resolve) => {
      const ended = (code: number | null, signal: NodeJS.Signals | null) => {
        this.#exit ??= { code, signal };
        resolve(this.#exit);
      };
      // `close` and not `exit`: by then every line has been read.
      child.once("close", ended);
      child.once("error", (error) => {
        this.#stderr += String(error);
        ended(null, null);
      });
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
    });
    if (child.stdout !== null)
      createInterface({ input: child.stdout }).on("line", (line) => this.#take(line));
  }

  /** Where clients connect, such as `http://127.0.0.1:43211`. */
  get url(): string {
    return String(this.ready["url"]);
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The READY line, with whatever the stage adds to it (`adminUrl` …). */
  get ready(): LogLine {
    return this.#lines.find((line) => line["event"] === "ready") ?? {};
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
    this.#child.stdout?.pause();
    this.#child.stderr?.pause();
  }

  /** Closes its outputs: whatever it writes fails. */
  leaveOutputs(): void {
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
  }

  /** How the process ended; undefined while it runs. */
  get exitStatus(): ExitStatus | undefined {
    return this.#exit;
  }

  /** The first line, past or future, that `predicate` accepts. @throws Error after `deadlineMs` (5000) */
  waitForLog(predicate: (line: LogLine) => boolean, deadlineMs = 5000): Promise<LogLine> {
    const what = `a log line of the ${this.stage} router that fits`;
    return eventually(() => this.#lines.find(predicate), { what, deadlineMs });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves when the process has ended. @throws Error after `deadlineMs` (15000) */
  exited(deadlineMs = 15_000): Promise<ExitStatus> {
    return within(this.#exited, deadlineMs, `the ${this.stage} router exits`);
  }

  /**
   * Sends `signal` (SIGTERM) and waits for the end. A router that does not stop is killed, and its files are removed in
   * any case. @throws Error when it had to be killed
   */
  async stop(signal: NodeJS.Signals = "SIGTERM", deadlineMs = 15_000): Promise<ExitStatus> {
    try {
      if (this.#exit === undefined) this.signal(signal);
      return await this.exited(deadlineMs);
    } finally {
      if (this.#exit === undefined) {
        this.signal("SIGKILL");
        await this.#exited;
      }
      await rm(this.directory, { recursive: true, force: true });
    }
  }

  /** Kills at once: a test that is over does not wait for a drain. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGKILL");
  }

  #take(line: string): void {
    if (!line.startsWith("{")) return;
    try {
      this.#lines.push(JSON.parse(line) as LogLine);
    } catch {
      // Not JSON after all: a line that some library printed.
    }
  }
}

/** Starts a router without waiting for its READY line: for tests of a start-up that must fail. */
export async function spawnRouter(options: RouterOptions): Promise<RouterProcess> {
  const main = options.main ?? join(root, "stages", options.stage, "src", "main.ts");
  if (!existsSync(main)) throw new Error(`Stage ${options.stage} has no ${main}`);
  const directory = await mkdtemp(join(tmpdir(), `cell-routing-${options.stage}-`));
  const [program = process.execPath, ...args] = [...(options.launcher ?? []), process.execPath, main];
  const child = spawn(program, args, {
    cwd: directory,
    env: { ...process.env, ...(await routerEnvironment(options, directory)), ...options.env },
    stdio: ["ignore", options.output?.stdout ?? "pipe", options.output?.stderr ?? "pipe"],
  });
  return new RouterProcess(options.stage, directory, child);
}

/** Starts a stage's router on free ports and waits until it accepts. @throws Error with what it printed if it does not */
export async function startRouter(options: RouterOptions): Promise<RouterProcess> {
  const router = await spawnRouter(options);
  const deadlineMs = options.readyDeadlineMs ?? 15_000;
  try {
    await eventually(() => router.ready["url"] !== undefined || router.exitStatus !== undefined, {
      what: "a READY line",
      deadlineMs,
    });
  } catch {
    // Told below, with what the router said.
  }
  if (router.ready["url"] !== undefined) return router;
  const { exitStatus } = router;
  const how =
    exitStatus === undefined
      ? `printed no READY line in ${deadlineMs} ms`
      : `exited with ${exitStatus.signal ?? `code ${exitStatus.code}`} before its READY line`;
  await router.stop("SIGKILL");
  const said = [router.stderr(), ...router.logs().map((line) => JSON.stringify(line))].join("\n").trim();
  throw new Error(`The ${options.stage} router ${how}. It said:\n${said || "(nothing)"}`);
}

async function routerEnvironment(options: RouterOptions, directory: string): Promise<Record<string, string>> {
  const common = { HOST: "127.0.0.1", PORT: "0", LOG_LEVEL: "info", NODE_ENV: "test" };
  if (options.stage === "m1") {
    const cells = Object.entries(options.endpoints ?? {}).map(([name, url]) => `${name}=${url}`);
    return { ...common, CELLS: cells.join(",") };
  }
  const file = join(directory, "routing.json");
  await writeFile(
    file,
    `${JSON.stringify(options.routing ?? contractRouting(options.endpoints), null, 2)}\n`,
  );
  // No control plane unless a test names one: it is never in the request path, so the contract holds without it.
  return {
    ...common,
    ADMIN_PORT: "0",
    ROUTING_FILE: file,
    STATE_DIR: join(directory, "state"),
    CONTROL_PLANE_URL: "",
    WORKERS: "1",
  };
}
