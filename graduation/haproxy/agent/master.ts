// HAProxy's master process: started, found again, reloaded and stopped. The master keeps the listening sockets, and has one
// worker for each configuration. It outlives an agent that is killed, because traffic must not end with whoever steers it:
// the next agent finds it by its socket.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { rm } from "node:fs/promises";
import type { Clock } from "../../../stages/m4/src/clock.ts";
import { haproxyEnvironment, outputFaults } from "./haproxy-words.ts";
import type { MasterFiles } from "./master-files.ts";
import { hasEnded, isAlive, until } from "./processes.ts";
import { RuntimeApi, type RuntimeApiError } from "./runtime-api.ts";
import { parseInfo, parseProcesses, type ShownProcesses } from "./runtime-output.ts";
import { HaproxyRefusal } from "./worker.ts";

const startDeadlineMs = 15_000;
/** How long a reload waits for clients that keep their connections: busy ones come over with their next request. */
const lingerMs = 1_000;
/** After SIGTERM, which HAProxy obeys at once. */
const cutDeadlineMs = 2_000;

export class Master {
  readonly #files: MasterFiles;
  readonly #clock: Clock;
  readonly #cli: RuntimeApi;
  readonly #runtime: RuntimeApi;
  readonly #pid: number;
  /** Undefined for a master that another agent has started. */
  readonly #child: ChildProcess | undefined;
  #worker = 0;

  private constructor(files: MasterFiles, clock: Clock, pid: number, child?: ChildProcess) {
    this.#files = files;
    this.#clock = clock;
    this.#cli = new RuntimeApi(files.masterSocket);
    this.#runtime = new RuntimeApi(files.runtimeSocket);
    this.#pid = pid;
    this.#child = child;
  }

  // #region start
  /**
   * Starts HAProxy with the configuration that is there, and waits until it accepts.
   *
   * @throws HaproxyRefusal when HAProxy ends by itself. Any other error is of the moment: it was killed, or says nothing
   */
  static async start(files: MasterFiles, clock: Clock): Promise<Master> {
    await rm(files.masterSocket, { force: true });
    const output = openSync(files.output, "w", 0o600);
    const words = ["-W", "-S", files.masterSocket, "-f", files.config];
    // A session of its own: Ctrl-C is for the agent, which then stops HAProxy in good order.
    const child = spawn("haproxy", words, {
      env: haproxyEnvironment,
      stdio: ["ignore", "ignore", output],
      detached: true,
    });
    closeSync(output);
    const failed = new Promise<never>((_, reject) => {
      child.once("error", (error) => reject(new HaproxyRefusal(`HAProxy ${error.message}`)));
      child.once("exit", (code, signal) => {
        const refusal = `HAProxy ended with exit code ${code}: ${outputFaults(files.output)}`;
        reject(code === null ? new Error(`HAProxy ended with ${signal}`) : new HaproxyRefusal(refusal));
      });
    });
    const master = new Master(files, clock, child.pid ?? 0, child);
    try {
      await Promise.race([failed, master.#accepts(0)]);
      return master;
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    }
  }

  /**
   * The master that runs with these files already, if there is one.
   *
   * @throws RuntimeApiError when there is one that says nothing: a second one beside it would share its port
   */
  static async find(files: MasterFiles, clock: Clock): Promise<Master | undefined> {
    const said = await new RuntimeApi(files.masterSocket)
      .send("show proc")
      .catch((error: RuntimeApiError) => {
        if (error.isSilent) throw error;
        return undefined;
      });
    if (said === undefined) return undefined;
    const found = new Master(files, clock, parseProcesses(said).master);
    try {
      await found.#accepts(0);
      return found;
    } catch {
      await found.stop(0);
      return undefined;
    }
  }
  // #endregion start

  get pid(): number {
    return this.#pid;
  }

  /** The worker in charge when it was looked for last. */
  get worker(): number {
    return this.#worker;
  }

  /** `description` of the configuration that the worker in charge runs. */
  async description(): Promise<string> {
    return parseInfo(await this.#runtime.send("show info"), "description") ?? "";
  }

  /** Whether this master still runs, with a worker. */
  async isRunning(): Promise<boolean> {
    if (this.#child !== undefined && hasEnded(this.#child)) return false;
    try {
      const shown = await this.processes();
      if (shown.master !== this.#pid || shown.worker === undefined) return false;
      this.#worker = shown.worker;
      return true;
    } catch {
      // Silent is not dead: a master whose process is stopped, or starved, still holds its sockets.
      return this.#isAlive();
    }
  }

  async processes(): Promise<ShownProcesses> {
    return parseProcesses(await this.#cli.send("show proc"));
  }

  // #region reload
  /**
   * Puts a worker with the present files into charge. The new one takes the listening sockets over, so no connection is refused;
   * the old one finishes its requests. Resolves when every new connection meets the new one, and the connections of clients
   * that are not idle have come over, too.
   *
   * @throws HaproxyRefusal when the master could not load the files: then the old worker goes on. Any other error is of the
   *         moment: HAProxy has ended, or says nothing
   */
  async reload(): Promise<void> {
    const before = await this.processes();
    // The master replaces itself by a new start of the program, so this connection may end in any way.
    await this.#cli.send("reload").catch(() => "");
    await this.#accepts(before.worker ?? 0, before.failed);
    const { worker } = before;
    if (worker === undefined) return;
    await this.#until(() => this.#hasStopped(worker), "the old worker stops");
    // An open connection stays with the old worker until it has had its next response, which still follows the old table.
    const isEmpty = async () => (await this.#infoOfOld(worker, "CurrConns")) === "0";
    await this.#until(isEmpty, "the old worker has no connection", lingerMs).catch(() => {});
  }

  /** Until then both accept: commands and requests could still meet the old one. */
  async #hasStopped(worker: number): Promise<boolean> {
    return (await this.#infoOfOld(worker, "Stopping")) !== "0";
  }

  /** One that has gone has stopped, and has no connection. */
  async #infoOfOld(worker: number, name: "Stopping" | "CurrConns"): Promise<string | undefined> {
    const { oldWorkers } = await this.processes();
    if (!oldWorkers.includes(worker)) return name === "Stopping" ? "1" : "0";
    return parseInfo(await this.#cli.send(`@!${worker} show info`), name);
  }
  // #endregion reload

  /** Stops accepting, lets requests under way finish for `drainMs`, then cuts them. Resolves when it has ended. */
  async stop(drainMs: number): Promise<void> {
    for (const [signal, deadlineMs] of [
      ["SIGUSR1", drainMs],
      ["SIGTERM", cutDeadlineMs],
      ["SIGKILL", cutDeadlineMs],
    ] as const) {
      if (!this.#isAlive()) return;
      if (deadlineMs > 0) this.#signal(signal);
      await until(() => !this.#isAlive(), "HAProxy ends", deadlineMs, this.#clock).catch(() => {});
    }
  }

  /** Resolves once a worker other than `before` is in charge and answers. */
  async #accepts(before: number, failedBefore = 0): Promise<void> {
    let isRefused = false;
    const isThere = async () => {
      const { worker, failed } = await this.processes();
      isRefused = failed > failedBefore && before !== 0;
      if (isRefused) return true;
      if (worker === undefined || worker === before) return false;
      const pid = parseInfo(await this.#runtime.send("show info"), "Pid");
      if (pid !== String(worker)) return false;
      this.#worker = worker;
      return true;
    };
    await this.#until(isThere, "a worker answers");
    if (isRefused)
      throw new HaproxyRefusal(
        `HAProxy could not load the configuration: ${outputFaults(this.#files.output)}`,
      );
  }

  /** Waits while HAProxy lives. @throws Error once it has ended, or after the deadline */
  async #until(condition: () => Promise<boolean>, what: string, deadlineMs = startDeadlineMs): Promise<void> {
    const isDecided = async () => !this.#isAlive() || (await condition());
    await until(isDecided, what, deadlineMs, this.#clock);
    if (!this.#isAlive()) throw new Error("HAProxy has ended");
  }

  #isAlive(): boolean {
    if (this.#child !== undefined) return !hasEnded(this.#child);
    return isAlive(this.#pid);
  }

  #signal(signal: NodeJS.Signals): void {
    try {
      process.kill(this.#pid, signal);
    } catch {
      // ESRCH: it has just ended.
    }
  }
}
