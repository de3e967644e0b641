// A terminal for a process's standard output, which this process can stop and close. Node cannot make one, so Python holds it.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { constants, openSync } from "node:fs";
import { within } from "./eventually.ts";
import { LogPlace } from "./log-places.ts";

/** Says the terminal's name, then what is written to it; any input types Ctrl-S, and the end of the input closes it. */
const holder = `
import os, pty, select
master, slave = pty.openpty()
os.write(1, os.ttyname(slave).encode() + b"\\n")
while True:
    ready = select.select([0, master], [], [])[0]
    if 0 in ready:
        if not os.read(0, 4096): break
        os.write(master, b"\\x13")
        os.write(2, b"stopped")
    elif master in ready:
        os.write(1, os.read(master, 65536))
`;

/** Where it is false, there is no Python with terminals here. */
export const hasTerminals = spawnSync("python3", ["-c", "import pty; pty.openpty()"]).status === 0;

export class LogTerminal extends LogPlace {
  readonly #holder: ChildProcess;
  #text = "";

  private constructor(holder: ChildProcess, name: string) {
    super(openSync(name, constants.O_RDWR | constants.O_NOCTTY));
    this.#holder = holder;
    holder.stdout?.on("data", (text: string) => {
      this.#text += text;
    });
  }

  static async open(): Promise<LogTerminal> {
    const child = spawn("python3", ["-c", holder], { stdio: ["pipe", "pipe", "pipe"] });
    child.stdout.setEncoding("utf8");
    try {
      const [name] = await within(once(child.stdout, "data"), 20_000, "the name of a terminal");
      return new LogTerminal(child, String(name).trim());
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    }
  }

  text(): string {
    return this.#text;
  }

  /** As Ctrl-S does: the terminal takes some more bytes, and then none. */
  async stop(): Promise<void> {
    const { stdin, stderr } = this.#holder;
    if (stdin === null || stderr === null) return;
    const stopped = once(stderr, "data");
    stdin.write("stop");
    await within(stopped, 20_000, "the terminal is stopped");
  }

  /** Closes the window. */
  async close(): Promise<void> {
    const { exitCode, signalCode } = this.#holder;
    if (exitCode !== null || signalCode !== null) return;
    const closed = once(this.#holder, "close");
    this.#holder.stdin?.end();
    await closed;
  }

  override [Symbol.dispose](): void {
    this.#holder.kill("SIGKILL");
    super[Symbol.dispose]();
  }
}
