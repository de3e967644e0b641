// Starts the processes of a stack (cells, routers, a control plane) and leaves none behind.
// A process counts as started when it prints its ready line, `{"event":"ready","url":"http://127.0.0.1:8080"}`.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** How a process ended: `code` is null when a signal ended it. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ProcessOptions {
  /** What messages call it: `cell visa`, `router 1`. */
  readonly name: string;
  /** Path of the TypeScript file to run. */
  readonly script: string;
  readonly args?: readonly string[];
  /** Added to this process's environment, or taken from it where the value is undefined. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** @default 30000 */
  readonly readyTimeoutMs?: number;
  /** Every line of standard output after the ready line, and every line of standard error. */
  readonly onLine?: (line: string, stream: "stdout" | "stderr") => void;
}

export interface RunningProcess {
  readonly name: string;
  readonly pid: number;
  /** The ready line, parsed. */
  readonly ready: Readonly<Record<string, unknown>>;
  /** `url` of the ready line, without a slash at the end. */
  readonly url: string;
  readonly exited: Promise<Exit>;
  /** SIGTERM, then SIGKILL when it does not end in 12 s: the 10 s of a router's drain and some room. */
  stop(): Promise<Exit>;
  /** SIGKILL: no goodbye. */
  kill(): Promise<Exit>;
  signal(signal: NodeJS.Signals): void;
}

/** A process that ended, or said nothing, before it was ready. `output` holds its last lines. */
export class StartError extends Error {
  override readonly name = "StartError";
  readonly output: readonly string[];
  constructor(message: string, output: readonly string[]) {
    super(message);
    this.output = output;
  }
}

/** The processes of one script. Call `killAll` from an `exit` handler: it is synchronous. */
export class ProcessGroup {
  readonly #children = new Set<ChildProcess>();
  readonly #running = new Set<RunningProcess>();

  async start(options: ProcessOptions): Promise<RunningProcess> {
    const child = spawnGuarded(options);
    this.#children.add(child);
    const exited = exitOf(child).finally(() => this.#children.delete(child));
    try {
      const ready = await readyLine(child, options, exited);
      const running = handleOf(child, options.name, ready, exited);
      this.#running.add(running);
      exited.finally(() => this.#running.delete(running)).catch(() => {});
      return running;
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    }
  }

  /** Stops all processes at once and waits for them. */
  async stopAll(): Promise<void> {
    await Promise.all([...this.#running].map((running) => running.stop()));
    this.killAll();
  }

  killAll(): void {
    for (const child of this.#children) child.kill("SIGKILL");
  }
}

function spawnGuarded(options: ProcessOptions): ChildProcess {
  const guard = new URL("./exit-with-parent.ts", import.meta.url).href;
  const env: NodeJS.ProcessEnv = { ...process.env, ...options.env, EXIT_WITH_PARENT: String(process.pid) };
  // Node runs TypeScript as it stands; no loader, and no shell between this script and the process.
  return spawn(process.execPath, ["--import", guard, options.script, ...(options.args ?? [])], {
    env,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
}

async function exitOf(child: ChildProcess): Promise<Exit> {
  if (child.pid === undefined) {
    const [error] = await once(child, "error");
    throw error;
  }
  const [code, signal] = await once(child, "exit");
  return { code, signal };
}

function readyLine(
  child: ChildProcess,
  options: ProcessOptions,
  exited: Promise<Exit>,
): Promise<Record<string, unknown>> {
  const { promise, resolve, reject } = Promise.withResolvers<Record<string, unknown>>();
  const output: string[] = [];
  let isReady = false;
  const onLine = (line: string, stream: "stdout" | "stderr") => {
    if (isReady) return options.onLine?.(line, stream);
    const ready = stream === "stdout" ? parsedReady(line) : undefined;
    if (ready === undefined) {
      output.push(line);
      if (output.length > 20) output.shift();
      return;
    }
    isReady = true;
    resolve(ready);
  };
  for (const stream of ["stdout", "stderr"] as const) {
    const input = child[stream];
    if (input) createInterface({ input }).on("line", (line) => onLine(line, stream));
  }
  const timeoutMs = options.readyTimeoutMs ?? 30_000;
  const timer = setTimeout(() => {
    reject(new StartError(`${options.name} printed no ready line within ${timeoutMs} ms`, output));
  }, timeoutMs);
  exited.then(
    // "close" comes after the last line of output, so the reason is complete.
    async ({ code, signal }) => {
      if (!isReady && child.stdout?.readableEnded === false) await once(child, "close");
      reject(
        new StartError(`${options.name} ended before it was ready (${signal ?? `exit ${code}`})`, output),
      );
    },
    reject,
  );
  return promise.finally(() => clearTimeout(timer));
}

function parsedReady(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const parsed: unknown = JSON.parse(line);
    if (typeof parsed !== "object" || parsed === null) return undefined;
    return "event" in parsed && parsed.event === "ready" ? { ...parsed } : undefined;
  } catch {
    return undefined;
  }
}

function handleOf(
  child: ChildProcess,
  name: string,
  ready: Record<string, unknown>,
  exited: Promise<Exit>,
): RunningProcess {
  const url = typeof ready["url"] === "string" ? ready["url"].replace(/\/$/, "") : "";
  return {
    name,
    pid: child.pid ?? 0,
    ready,
    url,
    exited,
    stop: async () => {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 12_000);
      return await exited.finally(() => clearTimeout(timer));
    },
    kill: () => {
      child.kill("SIGKILL");
      return exited;
    },
    signal: (signal) => child.kill(signal),
  };
}
