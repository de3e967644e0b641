// Starts a program, waits for its READY line (`{"event":"ready","url":"http://127.0.0.1:8080"}`), and knows how it ended and
// what it said last. Everything here that runs as a process of its own is started by this module: routers in any language,
// cells, control planes, the peers of the bench.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { eventually, within } from "./eventually.ts";
import { objectIn } from "./json-text.ts";
import { killDescendants } from "./process-by-port.ts";

/** How a process ended: `code` is null when a signal ended it. */
export interface ExitStatus {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The READY line, parsed, with whatever a program adds to it (`adminUrl` …). */
export type ReadyLine = Readonly<Record<string, unknown>>;

export interface ProgramOptions {
  /** What messages call it: `the m1 router`. */
  readonly name: string;
  readonly command: string;
  readonly args?: readonly string[];
  readonly cwd?: string;
  /** Added to this process's environment, or taken from it where the value is undefined. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Every line that it prints, the READY line included. Not with `files`. */
  readonly onLine?: (line: string, stream: "stdout" | "stderr") => void;
  /** Files that take its output instead of pipes: this process then spends no time on an access log. */
  readonly files?: { readonly stdout: string; readonly stderr: string };
  /** Descriptors that take its output instead of pipes, for a test that wants to see what a full disk does to it. */
  readonly output?: { readonly stdout: number; readonly stderr?: number };
  /**
   * Leads a process group of its own: a signal reaches what it has started, too. SIGKILL also reaches what has left the group.
   *
   * @default false
   */
  readonly ownGroup?: boolean;
  /** Gives it descriptor 3, whose other end closes with this process. @default false */
  readonly lifeline?: boolean;
}

/** A program that ended, or said nothing, before it was ready. */
export class StartError extends Error {
  override readonly name = "StartError";
  /** The last lines that it printed. */
  readonly output: readonly string[];

  constructor(message: string, output: readonly string[]) {
    super(message);
    this.output = output;
  }
}

const keptLines = 40;

/** None of them outlives this process, however it ends (by SIGKILL excepted). One listener for all: Node warns of eleven. */
const running = new Set<Program>();
process.once("exit", () => {
  for (const program of running) program.signal("SIGKILL");
});

export class Program implements AsyncDisposable {
  readonly name: string;
  /** Settles when the process has ended and its last line has been read. Rejects when it could not be started at all. */
  readonly exited: Promise<ExitStatus>;
  readonly #options: ProgramOptions;
  readonly #child: ChildProcess;
  readonly #lastLines: string[] = [];
  #exit: ExitStatus | undefined;
  #failure: Error | undefined;
  #ready: ReadyLine | undefined;

  /** Starts it without a shell, and does not wait. */
  constructor(options: ProgramOptions) {
    this.name = options.name;
    this.#options = options;
    this.#child = spawnProgram(options);
    for (const stream of ["stdout", "stderr"] as const) {
      const input = this.#child[stream];
      if (input) createInterface({ input }).on("line", (line) => this.#take(line, stream));
    }
    this.exited = new Promise((resolve, reject) => {
      this.#child.once("exit", (code, signal) => {
        this.#exit = { code, signal };
        const settle = () => resolve({ code, signal });
        // With `close`, every line has been read. Something that it started may keep its output open for ever, though.
        // A process that was held up for longer than that reads what is there before it gives up.
        const timer = setTimeout(() => setImmediate(settle), 3_000);
        this.#child.once("close", settle).once("close", () => clearTimeout(timer));
      });
      this.#child.once("error", (error) => {
        this.#failure = error;
        reject(error);
      });
    });
    running.add(this);
    const forget = () => void running.delete(this);
    // Whoever asks for `exited` hears of a failure.
    this.exited.then(forget, forget);
  }

  /** `url` of the READY line, without a slash at the end; empty until that has come. */
  get url(): string {
    const url = this.readyLine?.["url"];
    return typeof url === "string" ? url.replace(/\/$/, "") : "";
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** How it ended; undefined while it runs. */
  get exitStatus(): ExitStatus | undefined {
    return this.#exit;
  }

  /** Whether it has ended, or never began. */
  get hasEnded(): boolean {
    return this.#exit !== undefined || this.#failure !== undefined;
  }

  /** The READY line; undefined until it has come. */
  get readyLine(): ReadyLine | undefined {
    if (this.#options.files !== undefined)
      this.#ready ??= this.#fileLines("stdout").map(parseReady).find(Boolean);
    return this.#ready;
  }

  /** What it printed last, on both streams. */
  lastLines(): readonly string[] {
    if (this.#options.files === undefined) return this.#lastLines;
    return [...this.#fileLines("stdout"), ...this.#fileLines("stderr")].slice(-keptLines);
  }

  /** `ended with exit code 1`, or by which signal; undefined while it runs. */
  howItEnded(): string | undefined {
    if (this.#failure !== undefined) return `could not be started: ${this.#failure.message}`;
    if (this.#exit === undefined) return undefined;
    return `ended with ${this.#exit.signal ?? `exit code ${this.#exit.code}`}`;
  }

  /** Waits for the READY line. @throws StartError when the program ends, or stays silent, before it */
  async ready(deadlineMs = 30_000): Promise<ReadyLine> {
    const settled = () => this.readyLine !== undefined || this.hasEnded;
    await eventually(settled, { what: "a READY line, or the end", deadlineMs, everyMs: 5 }).catch(() => {});
    const ready = this.readyLine;
    if (ready !== undefined) return ready;
    const how = this.howItEnded() ?? `printed no READY line within ${deadlineMs} ms`;
    throw new StartError(
      `${this.name} ${how}${this.#exit === undefined ? "" : " before its READY line"}`,
      this.lastLines(),
    );
  }

  /** To its whole group, where it leads one. Nothing happens once it has ended. */
  signal(signal: NodeJS.Signals): void {
    if (this.#child.pid === undefined) return;
    if (this.#options.ownGroup !== true) return void this.#child.kill(signal);
    // What leads a group of its own can only be found while its parent runs.
    if (signal === "SIGKILL" && !this.hasEnded) killDescendants(this.#child.pid);
    try {
      process.kill(-this.#child.pid, signal);
    } catch {
      // ESRCH: the whole group has gone already.
    }
  }

  /** Sends `signal`, and SIGKILL when the program has not ended within `deadlineMs`. */
  async stop(signal: NodeJS.Signals = "SIGTERM", deadlineMs = 12_000): Promise<ExitStatus> {
    if (!this.hasEnded) this.signal(signal);
    const ended = await within(this.exited, deadlineMs, "the end").catch(() => this.#exit);
    // A supervisor may have left workers behind: its group outlives it.
    if (ended === undefined || this.#options.ownGroup === true) this.signal("SIGKILL");
    return this.#failure === undefined ? await this.exited : { code: null, signal: null };
  }

  /** SIGKILL: no goodbye. */
  kill(): Promise<ExitStatus> {
    return this.stop("SIGKILL");
  }

  /** Reads its output no more, so that it fills up. For Node, a pipe is a socket. */
  stallOutputs(): void {
    this.#child.stdout?.pause();
    this.#child.stderr?.pause();
  }

  /** Closes its output: whatever it writes fails. */
  leaveOutputs(): void {
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #take(line: string, stream: "stdout" | "stderr"): void {
    if (stream === "stdout") this.#ready ??= parseReady(line);
    this.#lastLines.push(line);
    if (this.#lastLines.length > keptLines) this.#lastLines.shift();
    this.#options.onLine?.(line, stream);
  }

  #fileLines(stream: "stdout" | "stderr"): string[] {
    const path = this.#options.files?.[stream];
    // Without the last part, which may be half a line.
    return path === undefined ? [] : readFileSync(path, "utf8").split("\n").slice(0, -1);
  }
}

function spawnProgram(options: ProgramOptions): ChildProcess {
  const { command, args = [], cwd, env, files, output, ownGroup, lifeline } = options;
  const opened = files === undefined ? [] : [openSync(files.stdout, "a"), openSync(files.stderr, "a")];
  const stdout = output?.stdout ?? opened[0] ?? "pipe";
  const stderr = output?.stderr ?? opened[1] ?? "pipe";
  try {
    return spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", stdout, stderr, ...(lifeline === true ? (["pipe"] as const) : [])],
      detached: ownGroup === true,
    });
  } finally {
    for (const file of opened) closeSync(file);
  }
}

function parseReady(line: string): ReadyLine | undefined {
  const parsed = line.startsWith("{") ? objectIn(line) : undefined;
  return parsed?.["event"] === "ready" ? parsed : undefined;
}
