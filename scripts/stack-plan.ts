// What a stack consists of before anything runs: which cells, which ports, which folders.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "./command-line.ts";
import type { OtherRouter } from "./ported-routers.ts";
import type { PortNeed } from "./ports.ts";
import { isAtLeast, type Milestone } from "./stages.ts";

export interface StackOptions {
  readonly stage: Milestone;
  /** The router's port. Every other port keeps its distance to it; 0 lets the system pick them all. @default 8080 */
  readonly port: number;
  /** @default 1 */
  readonly routers: number;
  /** Folder of the stage's files: `stages/mN`, or a copy of it with a learner's files laid over. */
  readonly stageFolder: string;
  /** Folder for what the stack writes: routing file, tokens, last-known-good snapshots. Emptied at the start. */
  readonly stateFolder: string;
  /** The router in another language, or on another engine, and its program. */
  readonly ported?: {
    readonly router: OtherRouter;
    readonly program: string;
    /** @default "program" */
    readonly runs?: "node" | "program";
  };
  /** Every line that a router or the control plane prints. */
  readonly onLine?: (source: string, line: string, stream: "stdout" | "stderr") => void;
}

export const defaultPort = 8080;

export interface CellPlan {
  readonly name: string;
  readonly port: number;
}

export interface RouterPlan {
  readonly name: string;
  readonly port: number;
  readonly adminPort: number;
}

export interface StackPlan {
  readonly cells: readonly CellPlan[];
  readonly routers: readonly RouterPlan[];
  readonly controlPlanePort: number | undefined;
}

const firstCells: readonly CellPlan[] = [
  { name: "visa", port: 9004 },
  { name: "tier1", port: 9001 },
  { name: "tier2", port: 9002 },
  { name: "tier3", port: 9003 },
];

/** Distances from the router's port: 8081 is the control plane, 8082 the admin port, 8090 the second router. */
const controlPlaneOffset = 1;
const adminOffset = 2;
const nextRouterOffset = 10;

/** @throws UsageError where the stage has no fleet, or a port would be too high */
export function planStack(
  options: Pick<StackOptions, "stage" | "port" | "routers" | "stageFolder">,
): StackPlan {
  if (options.routers > 1 && !isAtLeast(options.stage, "m3"))
    throw new UsageError("--routers needs m3 or later: a fleet needs a control plane");
  const shift = (port: number) => (options.port === 0 ? 0 : port - defaultPort + options.port);
  const routers = Array.from({ length: options.routers }, (_, index) => ({
    name: options.routers === 1 ? "router" : `router ${index + 1}`,
    port: shift(defaultPort + index * nextRouterOffset),
    adminPort: shift(defaultPort + adminOffset + index * nextRouterOffset),
  }));
  const cells = cellsOf(options).map(({ name, port }) => ({ name, port: shift(port) }));
  const plan: StackPlan = {
    cells,
    routers,
    controlPlanePort: isAtLeast(options.stage, "m3") ? shift(defaultPort + controlPlaneOffset) : undefined,
  };
  const highest = Math.max(...portNeeds(plan, options.stage).map((need) => need.port));
  if (highest > 65_535) {
    throw new UsageError(
      `--port ${options.port} puts a cell on port ${highest}: take one under ${65_535 - 1_000}`,
    );
  }
  return plan;
}

export function portNeeds(plan: StackPlan, stage: Milestone): PortNeed[] {
  const needs: PortNeed[] = [];
  for (const { name, port, adminPort } of plan.routers) {
    needs.push({ name, port });
    if (isAtLeast(stage, "m2")) needs.push({ name: `admin port of the ${name}`, port: adminPort });
  }
  if (plan.controlPlanePort !== undefined) needs.push({ name: "control plane", port: plan.controlPlanePort });
  for (const { name, port } of plan.cells) needs.push({ name: `cell ${name}`, port });
  return needs;
}

/** From m2 on the routing file names the cells: one runs for each placement. */
function cellsOf(options: Pick<StackOptions, "stage" | "stageFolder">): readonly CellPlan[] {
  const file = join(options.stageFolder, "routing.json");
  if (!isAtLeast(options.stage, "m2") || !existsSync(file)) return firstCells;
  return Object.entries(readPlacements(file)).map(([name, { url }]) => ({
    name,
    port: Number(new URL(url).port),
  }));
}

/** The part of a routing file that a stack has to know. */
interface RoutingFile {
  readonly placements: Readonly<Record<string, { readonly url: string }>>;
}

function readPlacements(file: string): RoutingFile["placements"] {
  // The stage's own file, which its tests hold to its schema.
  return (JSON.parse(readFileSync(file, "utf8")) as RoutingFile).placements;
}

/** The stage's routing file with each placement's URL replaced by that of the cell which runs for it. */
export function routingFileFor(stageFolder: string, cellUrls: ReadonlyMap<string, string>): string {
  const file = JSON.parse(readFileSync(join(stageFolder, "routing.json"), "utf8")) as RoutingFile;
  const placements = Object.entries(file.placements).map(([name, placement]) => {
    return [name, { ...placement, url: cellUrls.get(name) ?? placement.url }];
  });
  return `${JSON.stringify({ ...file, placements: Object.fromEntries(placements) }, null, 2)}\n`;
}
