// A running stack: the demo cells, a control plane from m3 on, and one or more routers, each a process of its own
// with a handle to stop, kill, restart or disturb it.

import { mkdirSync, rmSync } from "node:fs";
import { UsageError } from "./command-line.ts";
import { firstBusyPort, portHolder } from "./ports.ts";
import { ProcessGroup } from "./processes.ts";
import { Launcher } from "./stack-launcher.ts";
import type { CellMember, ControlPlaneMember, RouterMember } from "./stack-members.ts";
import { planStack, portNeeds, type StackOptions } from "./stack-plan.ts";

export interface Stack extends AsyncDisposable {
  readonly options: StackOptions;
  readonly cells: ReadonlyMap<string, CellMember>;
  readonly routers: readonly RouterMember[];
  readonly controlPlane: ControlPlaneMember | undefined;
  /** The routing file that is live (m2: the router watches it; from m3 on it is the control plane's store). */
  readonly routingFile: string | undefined;
  /** Stops everything and waits for it. */
  stop(): Promise<void>;
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
      [Symbol.asyncDispose]: () => group.stopAll(),
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
