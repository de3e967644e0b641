// One nginx with a generated configuration: starts it, gives it the next table, and knows which one serves. A table counts as
// applied when the new workers answer for it and every old one has stopped accepting. Linux only: it reads /proc.

import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { delimiter, join } from "node:path";
import { eventually, within } from "../../shared/testkit/eventually.ts";
import { commandOf, withDescendants } from "../../shared/testkit/process-by-port.ts";
import { Program } from "../../shared/testkit/program.ts";
import type { RoutingTable } from "../../stages/m4/src/routing-table.ts";
import { endingWithParent } from "../end-with-parent.ts";
import { lockFolder } from "../folder-lock.ts";
import { type NginxOptions, nginxConfiguration } from "./configuration.ts";

export interface NginxProcessOptions extends Omit<NginxOptions, "generation"> {
  /** What nginx has to say, line by line. */
  readonly onLine?: (line: string) => void;
}

/** nginx refuses a configuration; what it had serves on. */
export class RefusedConfigurationError extends Error {
  override readonly name = "RefusedConfigurationError";
}

const applyDeadlineMs = 10_000;

/** Debian keeps servers in a folder that not every user's PATH names. */
const env = { PATH: [process.env["PATH"] ?? "", "/usr/sbin"].join(delimiter) };

export class NginxProcess implements AsyncDisposable {
  readonly program: Program;
  readonly #options: NginxProcessOptions;
  readonly #lock: Disposable;
  #generation = 1;
  /** Of the newest configuration that nginx was told to load. One that came too late must not pass for the next. */
  #told = 1;

  private constructor(options: NginxProcessOptions, program: Program, lock: Disposable) {
    this.#options = options;
    this.program = program;
    this.#lock = lock;
  }

  /** @throws RefusedConfigurationError with nginx's own words, Error when another nginx has the folder */
  static async start(table: RoutingTable, options: NginxProcessOptions): Promise<NginxProcess> {
    // The access log holds whatever clients send.
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    chmodSync(options.directory, 0o700);
    const lock = lockFolder(options.directory, "nginx of this project");
    try {
      return await NginxProcess.#start(table, options, lock);
    } catch (error) {
      lock[Symbol.dispose]();
      throw error;
    }
  }

  static async #start(
    table: RoutingTable,
    options: NginxProcessOptions,
    lock: Disposable,
  ): Promise<NginxProcess> {
    const { directory, onLine } = options;
    // One that was killed has left it, and nobody can listen there again.
    rmSync(join(directory, "state.sock"), { force: true });
    // Who follows the log has seen its lines already.
    writeFileSync(join(directory, "access.log"), "");
    writeFileSync(join(directory, "nginx.conf"), nginxConfiguration(table, { ...options, generation: 1 }));
    checkConfiguration(directory, "nginx.conf");
    const nginx = new NginxProcess(options, startProgram(directory, onLine), lock);
    try {
      await nginx.#serves(1, []);
      return nginx;
    } catch (error) {
      await nginx.stop("SIGKILL");
      throw error;
    }
  }

  get generation(): number {
    return this.#generation;
  }

  get pid(): number {
    return this.program.pid;
  }

  /** Workers that accept connections, and those that only finish what they have begun. */
  workers(): { readonly accepting: readonly number[]; readonly leaving: readonly number[] } {
    const titles = withDescendants(this.pid).map((pid) => [pid, commandOf(pid).join(" ")] as const);
    const workers = titles.filter(([, title]) => title.includes("worker process"));
    const isLeaving = (title: string) => title.includes("shutting down");
    return {
      accepting: workers.flatMap(([pid, title]) => (isLeaving(title) ? [] : [pid])),
      leaving: workers.flatMap(([pid, title]) => (isLeaving(title) ? [pid] : [])),
    };
  }

  /** Reloads with `table`; resolves once only this table serves new connections. @throws RefusedConfigurationError */
  async apply(table: RoutingTable): Promise<void> {
    const { directory } = this.#options;
    const generation = this.#told + 1;
    writeFileSync(join(directory, "next.conf"), nginxConfiguration(table, { ...this.#options, generation }));
    // A reload that fails leaves nothing but a line on standard error; this says it to the one who asked.
    checkConfiguration(directory, "next.conf");
    writeFileSync(join(directory, "nginx.conf"), nginxConfiguration(table, { ...this.#options, generation }));
    this.#told = generation;
    const before = this.workers().accepting;
    if (!this.program.hasEnded) process.kill(this.pid, "SIGHUP");
    await this.#serves(generation, before);
    this.#generation = generation;
  }

  /** SIGQUIT lets requests finish; SIGTERM does not. */
  async stop(signal: "SIGQUIT" | "SIGTERM" | "SIGKILL" = "SIGQUIT"): Promise<void> {
    // Half a second more than m1 gives a request to finish.
    if (signal === "SIGQUIT") {
      this.program.signal(signal);
      await within(this.program.exited, 10_500, "the end").catch(() => {});
    }
    // Workers whose master was killed are in its group, too.
    await this.program.stop(signal === "SIGKILL" ? signal : "SIGTERM", 5_000);
    this.#lock[Symbol.dispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGTERM");
  }

  async #serves(generation: number, before: readonly number[]): Promise<void> {
    const replaced = async () => {
      if (this.program.hasEnded) return true;
      if ((await servingGeneration(this.#options.directory)) !== String(generation)) return false;
      const { accepting } = this.workers();
      return accepting.length > 0 && !accepting.some((pid) => before.includes(pid));
    };
    await eventually(replaced, {
      what: `nginx serves configuration ${generation}`,
      deadlineMs: applyDeadlineMs,
      everyMs: 10,
    });
    if (this.program.hasEnded)
      throw new RefusedConfigurationError(
        `nginx ${this.program.howItEnded()}: ${this.program.lastLines().join("\n")}`,
      );
  }
}

function startProgram(directory: string, onLine: ((line: string) => void) | undefined): Program {
  const words = ["nginx", "-p", directory, "-e", "stderr", "-c", join(directory, "nginx.conf")];
  // With SIGTERM the master ends its workers; after SIGKILL they would serve on without it.
  const [command = "", ...args] = endingWithParent(words, "TERM");
  // Its own group: SIGKILL reaches the workers, and the terminal's Ctrl-C leaves the end to whoever started nginx.
  return new Program({
    name: "nginx",
    command,
    args,
    env,
    ownGroup: true,
    ...(onLine === undefined ? {} : { onLine }),
  });
}

/** @throws RefusedConfigurationError with what `nginx -t` says; Error where it says that the system failed it: that may pass */
function checkConfiguration(directory: string, name: string): void {
  const args = ["-t", "-q", "-p", directory, "-e", "stderr", "-c", join(directory, name)];
  const { status, stderr } = spawnSync("nginx", args, { encoding: "utf8", env: { ...process.env, ...env } });
  if (status === 0) return;
  // `open() "…/access.log" failed (21: Is a directory)`: a number of the system's is no fault of the table.
  if (/ failed \(\d+: /.test(stderr)) throw new Error(stderr.trim());
  throw new RefusedConfigurationError(stderr.trim());
}

/** The configuration that a worker serves, by its own word. */
function servingGeneration(directory: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { socketPath: join(directory, "state.sock"), path: "/generation", agent: false };
    const asking = request(options, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (piece: string) => {
        text += piece;
      });
      response.once("end", () => resolve(text)).once("error", reject);
    });
    asking.once("error", reject).end();
  });
}
