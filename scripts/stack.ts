// A running stack: the demo cells, a control plane from m3 on, and one or more routers, each a process of its own
// with a handle to stop, kill, restart or disturb it.

import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "./command-line.ts";
import { firstBusyPort, portHolder } from "./ports.ts";
import { type Exit, ProcessGroup, type RunningProcess } from "./processes.ts";
import { planStack, portNeeds, type RouterPlan, routingFileFor, type StackOptions } from "./stack-plan.ts";
import { isAtLeast, projectRoot } from "./stages.ts";

/** A process of the stack. It keeps its address over a restart. */
export class Member {
  readonly name: string;
  readonly #launch: (port: number) => Promise<RunningProcess>;
  #running: RunningProcess;

  constructor(name: string, running: RunningProcess, launch: (port: number) => Promise<RunningProcess>) {
    this.name = name;
    this.#running = running;
    this.#launch = launch;
  }

  get url(): string {
    return this.#running.url;
  }
  get pid(): number {
    return this.#running.pid;
  }
  get ready(): Readonly<Record<string, unknown>> {
    return this.#running.ready;
  }
  get exited(): Promise<Exit> {
    return this.#running.exited;
  }
  /** SIGTERM, and waits for the end. */
  stop(): Promise<Exit> {
    return this.#running.stop();
  }
  /** SIGKILL, and waits for the end. */
  kill(): Promise<Exit> {
    return this.#running.kill();
  }
  signal(signal: NodeJS.Signals): void {
    this.#running.signal(signal);
  }
  /** Starts it again on the port that it had. */
  async start(): Promise<void> {
    this.#running = await this.#launch(Number(new URL(this.url).port));
  }
}

export class CellMember extends Member {
  /** Switches a fault of the cell on, or off with `{ fault: "none" }`; shared/cells/faults.ts names them. */
  async fault(fault: { readonly fault: string; readonly [parameter: string]: unknown }): Promise<void> {
    const answer = await fetch(`${this.url}/__control/fault`, {
      method: "POST",
      body: JSON.stringify(fault),
    });
    if (!answer.ok) throw new Error(`${this.name} refuses the fault: ${await answer.text()}`);
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

export interface Stack {
  readonly options: StackOptions;
  readonly cells: ReadonlyMap<string, CellMember>;
  readonly routers: readonly RouterMember[];
  readonly controlPlane: Member | undefined;
  /** The routing file that is live (m2: the router watches it; from m3 on it is the control plane's store). */
  readonly routingFile: string | undefined;
  /** Stops everything and waits for it. */
  stop(): Promise<void>;
  /** Ends everything at once: for an `exit` handler. */
  killAll(): void;
}

/** @throws UsageError when a port is busy, naming the port, its holder where known, and the flag. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const plan = planStack(options);
  const busy = await firstBusyPort(portNeeds(plan, options.stage));
  if (busy !== undefined) throw new UsageError(busyPortWords(busy.port, busy.name, options.port));
  rmSync(options.stateFolder, { recursive: true, force: true });
  mkdirSync(options.stateFolder, { recursive: true });
  const group = new ProcessGroup();
  try {
    const launch = new Launcher(options, group);
    const cells = await Promise.all(plan.cells.map((cell) => launch.cell(cell.name, cell.port)));
    const cellUrls = new Map(plan.cells.map(({ name }, index) => [name, cells[index]?.url ?? ""]));
    const routingFile = launch.writeRoutingFile(cellUrls);
    const controlPlane =
      plan.controlPlanePort === undefined ? undefined : await launch.controlPlane(plan.controlPlanePort);
    const routers = await Promise.all(
      plan.routers.map((router) => launch.router(router, cellUrls, controlPlane)),
    );
    return {
      options,
      cells: new Map(plan.cells.flatMap(({ name }, index) => (cells[index] ? [[name, cells[index]]] : []))),
      routers,
      controlPlane,
      routingFile,
      stop: () => group.stopAll(),
      killAll: () => group.killAll(),
    };
  } catch (error) {
    group.killAll();
    throw error;
  }
}

function busyPortWords(port: number, name: string, stackPort: number): string {
  const holder = portHolder(port);
  const by = holder === undefined ? "another process" : holder;
  return `port ${port} (${name}) is in use by ${by}: move the whole stack with --port ${stackPort + 100}, or take free ports with --port 0`;
}

/** Knows the environment of each kind of process. */
class Launcher {
  readonly #options: StackOptions;
  readonly #group: ProcessGroup;

  constructor(options: StackOptions, group: ProcessGroup) {
    this.#options = options;
    this.#group = group;
  }

  async cell(name: string, port: number): Promise<CellMember> {
    const script = join(projectRoot, "shared/cells/main.ts");
    const launch = (at: number) =>
      this.#group.start({
        name: `cell ${name}`,
        script,
        env: { NAME: name, HOST: "127.0.0.1", PORT: String(at) },
      });
    return new CellMember(`cell ${name}`, await launch(port), launch);
  }

  writeRoutingFile(cellUrls: ReadonlyMap<string, string>): string | undefined {
    if (!isAtLeast(this.#options.stage, "m2")) return undefined;
    const file = join(this.#options.stateFolder, "routing.json");
    writeFileSync(file, routingFileFor(this.#options.stageFolder, cellUrls));
    // Beside it, so that an editor completes and checks the copy as it does the original.
    const schema = "routing.schema.json";
    if (existsSync(join(this.#options.stageFolder, schema))) {
      copyFileSync(join(this.#options.stageFolder, schema), join(this.#options.stateFolder, schema));
    }
    return file;
  }

  async controlPlane(port: number): Promise<Member> {
    const launch = (at: number) =>
      this.#start("control plane", "src/control-plane/main.ts", {
        PORT: String(at),
        CONTROL_PLANE_PORT: String(at),
        ROUTING_FILE: join(this.#options.stateFolder, "routing.json"),
        STATE_DIR: this.#controlPlaneState(),
      });
    return new Member("control plane", await launch(port), launch);
  }

  async router(
    plan: RouterPlan,
    cellUrls: ReadonlyMap<string, string>,
    controlPlane: Member | undefined,
  ): Promise<RouterMember> {
    const launch = (at: number) =>
      this.#start(plan.name, "src/main.ts", {
        PORT: String(at),
        ADMIN_PORT: String(plan.adminPort),
        ...this.#routingEnv(plan, cellUrls, controlPlane),
      });
    return new RouterMember(plan.name, await launch(plan.port), launch);
  }

  #routingEnv(plan: RouterPlan, cellUrls: ReadonlyMap<string, string>, controlPlane: Member | undefined) {
    if (!isAtLeast(this.#options.stage, "m2")) {
      return { CELLS: [...cellUrls].map(([name, url]) => `${name}=${url}`).join(",") };
    }
    const file = join(this.#options.stateFolder, "routing.json");
    if (controlPlane === undefined) return { ROUTING_FILE: file };
    const stateFolder = join(this.#options.stateFolder, plan.name.replace(" ", "-"));
    return { CONTROL_PLANE_URL: controlPlane.url, STATE_DIR: stateFolder, ROUTING_FILE: file };
  }

  #controlPlaneState(): string {
    return join(this.#options.stateFolder, "control-plane");
  }

  #start(name: string, path: string, env: Record<string, string>): Promise<RunningProcess> {
    const { onLine, stageFolder } = this.#options;
    return this.#group.start({
      name,
      script: join(stageFolder, path),
      env: { ...unsetStageVariables, HOST: "127.0.0.1", ...env },
      ...(onLine && { onLine: (line, stream) => onLine(name, line, stream) }),
    });
  }
}

/** A variable that the caller's shell happens to have must not change what a demo shows. */
const unsetStageVariables = Object.fromEntries(
  [
    "CELLS",
    "ROUTING_FILE",
    "ADMIN_PORT",
    "CONTROL_PLANE_URL",
    "CONTROL_PLANE_TOKEN",
    "STATE_DIR",
    "WORKERS",
  ].map((name) => [name, undefined]),
);
