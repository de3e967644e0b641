// The parts of a running stack as handles: where each listens, how to stop, kill, restart or disturb it.

import { objectIn } from "../shared/testkit/json-text.ts";
import type { ExitStatus, Program } from "./processes.ts";

/** A process of the stack. It keeps its address over a restart. */
export class Member {
  readonly name: string;
  readonly #launch: (port: number) => Promise<Program>;
  #running: Program;

  #isRunning = true;

  constructor(name: string, running: Program, launch: (port: number) => Promise<Program>) {
    this.name = name;
    this.#launch = launch;
    this.#running = this.#follow(running);
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  get url(): string {
    return this.#running.url;
  }
  get pid(): number {
    return this.#running.pid;
  }
  get ready(): Readonly<Record<string, unknown>> {
    return this.#running.readyLine ?? {};
  }
  get exited(): Promise<ExitStatus> {
    return this.#running.exited;
  }
  /** SIGTERM, and waits for the end. */
  stop(): Promise<ExitStatus> {
    return this.#running.stop();
  }
  /** SIGKILL, and waits for the end. */
  kill(): Promise<ExitStatus> {
    return this.#running.kill();
  }
  signal(signal: NodeJS.Signals): void {
    this.#running.signal(signal);
  }
  /** Starts it again on the port that it had. */
  async start(): Promise<void> {
    this.#running = this.#follow(await this.#launch(Number(new URL(this.url).port)));
  }

  #follow(running: Program): Program {
    this.#isRunning = true;
    void running.exited.then(() => {
      // A later process of this member is not touched by the end of an earlier one.
      if (this.#running === running) this.#isRunning = false;
    });
    return running;
  }
}

export class CellMember extends Member {
  /** Switches a fault of the cell on, or off with `{ fault: "none" }`; shared/cells/faults.ts names them. */
  async fault(fault: { readonly fault: string; readonly [parameter: string]: unknown }): Promise<void> {
    const response = await fetch(`${this.url}/__control/fault`, {
      method: "POST",
      body: JSON.stringify(fault),
    });
    if (!response.ok) throw new Error(`${this.name} refuses: ${faultOf(await response.text())}`);
  }

  /** Name of the fault that is on, or `none`. */
  async currentFault(): Promise<string> {
    const response = await fetch(`${this.url}/__control/fault`);
    return ((await response.json()) as { readonly fault: string }).fault;
  }

  /** Requests that it has got and not answered yet. */
  async inFlight(): Promise<number> {
    return (await this.#stats()).inFlight;
  }

  /** Requests that it has got since it was started, health checks left out. */
  async requests(): Promise<number> {
    return (await this.#stats()).requests;
  }

  async #stats(): Promise<{ readonly inFlight: number; readonly requests: number }> {
    const response = await fetch(`${this.url}/__control/stats`);
    return (await response.json()) as { readonly inFlight: number; readonly requests: number };
  }
}

export class RouterMember extends Member {
  /** Address of the admin port, which stages have from m2 on. */
  get adminUrl(): string {
    const url = this.ready["adminUrl"] ?? this.ready["admin"];
    if (typeof url !== "string") throw new Error(`${this.name} names no admin port in its ready line`);
    return url.replace(/\/$/, "");
  }
}

export class ControlPlaneMember extends Member {
  /** File that holds the token of writers and routers. */
  get tokenFile(): string {
    const file = this.ready["tokenFile"];
    if (typeof file !== "string") throw new Error("The control plane names no token file in its ready line");
    return file;
  }
}

/** The sentence in a cell's refusal, or the refusal as it is. */
function faultOf(body: string): string {
  const error = objectIn(body)?.["error"];
  return typeof error === "string" ? error : body;
}
