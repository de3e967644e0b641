// Starts the processes of a stack (cells, routers, a control plane) and leaves none behind.
// A process counts as started when it prints its ready line, `{"event":"ready","url":"http://127.0.0.1:8080"}`.

import { Program } from "../shared/testkit/program.ts";

export { type ExitStatus, type Program, StartError } from "../shared/testkit/program.ts";

export interface ProcessOptions {
  /** What messages call it: `cell visa`, `router 1`. */
  readonly name: string;
  /** Path of the TypeScript file to run, or a program. A program outlives this process where that is killed. */
  readonly script: string;
  /** @default "node" */
  readonly runs?: "node" | "program";
  readonly args?: readonly string[];
  /** Added to this process's environment, or taken from it where the value is undefined. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** @default 30000 */
  readonly readyTimeoutMs?: number;
  /** Every line of standard output after the ready line, and every line of standard error since then. */
  readonly onLine?: (line: string, stream: "stdout" | "stderr") => void;
}

/** The processes of one stack. */
export class ProcessGroup {
  readonly #running = new Set<Program>();

  /** @throws StartError when the process ends, or stays silent, before it is ready */
  async start(options: ProcessOptions): Promise<Program> {
    const guard = new URL("./exit-with-parent.ts", import.meta.url).href;
    let isReady = false;
    const program = new Program({
      name: options.name,
      // Node runs TypeScript as it stands; no loader, and no shell between this script and the process.
      command: options.runs === "program" ? options.script : process.execPath,
      args: [
        ...(options.runs === "program" ? [] : ["--import", guard, options.script]),
        ...(options.args ?? []),
      ],
      env: { ...options.env, EXIT_WITH_PARENT: String(process.pid) },
      lifeline: true,
      onLine: (line, stream) => {
        if (isReady) options.onLine?.(line, stream);
        isReady ||= program.readyLine !== undefined;
      },
    });
    this.#running.add(program);
    const forget = () => void this.#running.delete(program);
    program.exited.then(forget, forget);
    try {
      await program.ready(options.readyTimeoutMs);
      return program;
    } catch (error) {
      program.signal("SIGKILL");
      throw error;
    }
  }

  /** Stops all processes at once and waits for them: 10 s of a router's drain and some room, then SIGKILL. */
  async stopAll(): Promise<void> {
    await Promise.all([...this.#running].map((running) => running.stop()));
  }

  killAll(): void {
    for (const running of this.#running) running.signal("SIGKILL");
  }
}
