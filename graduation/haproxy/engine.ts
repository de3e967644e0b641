// A running HAProxy: one master, which keeps the listening socket, and a worker for each configuration. Owns the files in its
// folder, the start, the reload and the stop.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { eventually, within } from "../../shared/testkit/eventually.ts";
import type { RoutingTable } from "../../stages/m4/src/routing-table.ts";
import { endingWithParent } from "../end-with-parent.ts";
import { checkConfiguration, haproxyEnvironment } from "./agent/haproxy-words.ts";
import { filesIn } from "./agent/master-files.ts";
import { guardOldWorkers } from "./agent/old-workers.ts";
import { hasEnded } from "./agent/processes.ts";
import { RuntimeApi } from "./agent/runtime-api.ts";
import { parseInfo } from "./agent/runtime-output.ts";
import { type HaproxyOptions, haproxyConfig } from "./config.ts";
import { listenErrorIn } from "./listen-fault.ts";

export interface EngineOptions extends Omit<HaproxyOptions, "socket" | "folder"> {
  /** Where its files go; made when it is not there. */
  readonly folder: string;
  /** Told each line that HAProxy prints: access log and notices. @default they go to this process's own outputs */
  readonly onLine?: (line: string, stream: "stdout" | "stderr") => void;
}

const startDeadlineMs = 15_000;
/** HAProxy says why it ends in its last words. */
const keptLines = 20;
/** For a pipe that an old worker holds open. Otherwise the pipe's end comes first, also on a busy machine. */
const lastWordsMs = 2_000;

export class Engine implements AsyncDisposable {
  readonly #options: EngineOptions;
  readonly #master: ChildProcess;
  readonly #notices: string[] = [];
  /** Resolves when HAProxy has ended, by itself or by `stop`, with how it ended and what it said last. Never rejects. */
  readonly ended: Promise<string>;

  private constructor(options: EngineOptions) {
    this.#options = options;
    this.#master = startMaster(options, (line) => {
      this.#notices.push(line);
      if (this.#notices.length > keptLines) this.#notices.shift();
    });
    this.ended = new Promise((resolve) => {
      const tell = (how: string) => resolve([how, ...this.#notices].join("\n"));
      this.#master.on("error", (error) => tell(`HAProxy cannot be started: ${error.message}`));
      this.#master.once("exit", (code, signal) => {
        // Its last words may still be in the pipe, which an old worker may hold open.
        const tellNow = () => tell(`HAProxy ended with ${signal ?? `exit code ${code}`}`);
        this.#master.once("close", tellNow);
        setTimeout(tellNow, lastWordsMs).unref();
      });
    });
  }

  /**
   * Starts HAProxy with this table and waits until it accepts.
   *
   * @throws HaproxyRefusal when HAProxy refuses the configuration, ListenError when it cannot have its port
   */
  static async start(table: RoutingTable, options: EngineOptions): Promise<Engine> {
    await mkdir(options.folder, { recursive: true });
    await writeFiles(table, options);
    await checkConfiguration(filesIn(options.folder).config);
    const engine = new Engine(options);
    try {
      await engine.#until(async () => (await engine.#workerPid()) !== undefined, "HAProxy accepts");
    } catch (error) {
      await engine.stop(0);
      throw listenErrorIn(String(error), options.port) ?? error;
    }
    return engine;
  }

  get pid(): number {
    return this.#master.pid ?? 0;
  }

  /** The socket of the Runtime API. */
  get socket(): string {
    return filesIn(this.#options.folder).runtimeSocket;
  }

  /** Sends one command to the worker in charge and returns what it says. */
  async command(line: string): Promise<string> {
    return await new RuntimeApi(this.socket).send(line);
  }

  /**
   * Replaces the worker by one with this table. The old one finishes what it has under way. Resolves when every new
   * connection meets the new one, and no old connection leads to a cell that is now somebody else's.
   *
   * @throws HaproxyRefusal when HAProxy refuses the configuration
   */
  async reload(table: RoutingTable): Promise<void> {
    const { folder } = this.#options;
    const before = await this.#workerPid();
    await writeFiles(table, this.#options);
    await checkConfiguration(filesIn(folder).config);
    this.#master.kill("SIGUSR2");
    const isReplaced = async () => {
      const now = await this.#workerPid();
      return now !== undefined && now !== before;
    };
    await this.#until(isReplaced, "the new worker answers");
    // Both accept until the old one has been told.
    const master = new RuntimeApi(filesIn(folder).masterSocket);
    const hasStopped = async () => {
      const said = await master.send(`@!${before} show info`).catch(() => undefined);
      return said !== undefined && !/^Stopping: 0$/m.test(said);
    };
    await this.#until(hasStopped, "the old worker stops");
    await guardOldWorkers(filesIn(folder), folder, table);
  }

  /** Stops accepting, lets the requests under way finish, and cuts what is left after `drainMs`. */
  async stop(drainMs = 10_000): Promise<void> {
    if (hasEnded(this.#master)) return;
    this.#master.kill("SIGUSR1");
    await within(this.ended, drainMs, "HAProxy ends").catch(() => this.#master.kill("SIGTERM"));
    await within(this.ended, 1000, "HAProxy ends").catch(() => this.#master.kill("SIGKILL"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop(0);
  }

  /** Waits for what HAProxy does. @throws Error once it has ended, or after the deadline */
  async #until(condition: () => Promise<boolean>, what: string): Promise<void> {
    await eventually(async () => hasEnded(this.#master) || (await condition()), {
      what,
      deadlineMs: startDeadlineMs,
      everyMs: 5,
    });
    if (hasEnded(this.#master)) throw new Error(await this.ended);
  }

  async #workerPid(): Promise<number | undefined> {
    const said = await this.command("show info").catch(() => "");
    const pid = parseInfo(said, "Pid");
    return pid === undefined ? undefined : Number(pid);
  }
}

async function writeFiles(table: RoutingTable, options: EngineOptions): Promise<void> {
  const { folder } = options;
  const { text, maps } = haproxyConfig(table, { ...options, socket: filesIn(folder).runtimeSocket });
  for (const [name, content] of [...maps, ["haproxy.cfg", text] as const]) {
    await writeFile(join(folder, `${name}.next`), content);
    await rename(join(folder, `${name}.next`), join(folder, name));
  }
}

function startMaster({ folder, onLine }: EngineOptions, onNotice: (line: string) => void): ChildProcess {
  const words = ["haproxy", "-W", "-S", filesIn(folder).masterSocket, "-f", filesIn(folder).config];
  const [program = "", ...args] = endingWithParent(words, "TERM");
  const output = onLine === undefined ? "inherit" : "pipe";
  // A session of its own: the terminal's Ctrl-C is for this process, which then stops HAProxy in good order.
  const master = spawn(program, args, {
    env: haproxyEnvironment,
    stdio: ["ignore", output, output],
    detached: true,
  });
  for (const stream of ["stdout", "stderr"] as const) {
    const input = master[stream];
    if (!input) continue;
    createInterface({ input }).on("line", (line) => {
      if (stream === "stderr") onNotice(line);
      onLine?.(line, stream);
    });
  }
  return master;
}
