// What can be set and broken in m3's simulation, and what it shows.

import {
  numberOf,
  type Parameter,
  type Simulation,
  seedParameter,
  textOf,
  type Values,
  type World,
} from "./simulation.ts";

/** How the routers of a world hear of tables, and how they come back. */
export type Kind = "m3" | "stampede" | "asks";

export interface RouterState {
  readonly id: string;
  readonly isLinked: boolean;
  readonly epoch: string | undefined;
  /** Undefined while it runs on the file that it was shipped with. */
  readonly revision: number | undefined;
}

export interface FleetState {
  readonly kind: Kind;
  readonly controlPlane: { readonly isUp: boolean; readonly epoch: string; readonly revision: number };
  readonly routers: readonly RouterState[];
  /** How often the control plane was knocked over by those that came back. */
  readonly falls: number;
}

const mostRouters = 20;

const rivals: Readonly<Record<string, string>> = {
  stampede: "A fixed wait: all come back at once",
  asks: "Routers that ask for every request",
};

export const worlds: readonly World[] = [
  { name: "rival", label: (values) => rivals[textOf(values, "rival")] ?? "", values: { isRival: true } },
  { name: "m3", label: () => "m3: push, memory, full jitter", values: { isRival: false } },
];

export function kindOf(values: Values): Kind {
  if (values["isRival"] !== true) return "m3";
  return textOf(values, "rival") === "asks" ? "asks" : "stampede";
}

export const targets: Readonly<Record<string, string>> = {
  "control-plane": "the control plane is down",
  ...Object.fromEntries(
    Array.from({ length: mostRouters }, (_, index) => [
      `link-router-${index + 1}`,
      `router ${index + 1} has lost its link`,
    ]),
  ),
};

export const parameters: readonly Parameter[] = [
  seedParameter,
  { kind: "number", name: "routers", label: "Routers", min: 1, max: mostRouters, step: 1, value: 16 },
  {
    kind: "choice",
    name: "rival",
    label: "Beside m3",
    choices: Object.entries(rivals).map(([value, label]) => ({ value, label })),
    value: "stampede",
  },
  {
    kind: "choice",
    name: "store",
    label: "The control plane comes back",
    choices: [
      { value: "own", label: "with its own store" },
      { value: "backup", label: "from an old backup" },
    ],
    value: "own",
  },
  {
    kind: "number",
    name: "latency",
    label: "Slowest message",
    unit: "ms",
    min: 60,
    max: 2000,
    step: 20,
    value: 300,
  },
  {
    kind: "switch",
    name: "damage",
    label: "The push at 3 s arrives damaged at the last router",
    value: false,
  },
  { kind: "faults", name: "faults", label: "What goes wrong", targets, value: "control-plane_6000_12000" },
];

export const share: NonNullable<Simulation<FleetState>["share"]> = {
  label: "Routers linked",
  of: ({ kind, controlPlane, routers }) => {
    // Who asks for every request keeps no link.
    if (kind === "asks") return controlPlane.isUp ? 1 : 0;
    return routers.filter(({ isLinked }) => isLinked).length / Math.max(1, routers.length);
  },
};

export function namesOf(values: Values): string[] {
  return Array.from({ length: numberOf(values, "routers") }, (_, index) => `router-${index + 1}`);
}
