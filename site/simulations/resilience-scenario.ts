// What can be set in m4's simulation, and the routing document that the settings make: the same document that a router
// of m4 would read.

import { isOn, numberOf, type Parameter, seedParameter, type Values, type World } from "./simulation.ts";

/** What a broken cell does. */
export type Fault = "down" | "error" | "hang" | "flap";

export const cells = ["visa", "tier1", "tier2", "tier3"];
export const tenants = ["visa", "acme", "globex", "initech"];

export const targets: Readonly<Record<string, string>> = Object.fromEntries(
  cells.map((name) => [`cell-${name}`, `${name} is broken`]),
);

/** Connections that the router can hold at once. A real one has thousands, and a real outage more clients. */
export const socketCount = 20;
/** Requests that may be in flight to one placement where the limit is on. */
export const placementLimit = 8;

export const worlds: readonly World[] = [
  {
    name: "bare",
    label: () => "A router without limits",
    values: {
      breaker: false,
      health: false,
      failover: false,
      retries: false,
      bulkhead: false,
      limit: false,
    },
  },
  { name: "guarded", label: () => "A router with m4's guards", values: {} },
];

export const parameters: readonly Parameter[] = [
  seedParameter,
  {
    kind: "number",
    name: "rate",
    label: "Requests",
    unit: "per second",
    min: 1,
    max: 60,
    step: 1,
    value: 20,
  },
  {
    kind: "choice",
    name: "fault",
    label: "A broken cell",
    choices: [
      { value: "hang", label: "never responds" },
      { value: "error", label: "responds with 503" },
      { value: "down", label: "refuses connections" },
      { value: "flap", label: "fails every other second" },
    ],
    value: "hang",
  },
  { kind: "faults", name: "faults", label: "What goes wrong", targets, value: "cell-tier1_4000_11000" },
  { kind: "switch", name: "breaker", label: "Circuit breaker", value: true },
  { kind: "switch", name: "health", label: "Health checks", value: false },
  { kind: "switch", name: "failover", label: "Fallback tier1 → tier2", value: true },
  { kind: "switch", name: "retries", label: "Retries", value: false },
  {
    kind: "switch",
    name: "bulkhead",
    label: `At most ${placementLimit} in flight per placement`,
    value: true,
  },
  { kind: "switch", name: "limit", label: "acme: 5 per second", value: false },
];

export function documentFor(values: Values): object {
  const placement = (kind: "dedicated" | "tier", port: number) => ({
    kind,
    url: `http://127.0.0.1:${port}`,
    ...(isOn(values, "breaker")
      ? { circuitBreaker: { waitMs: 2_000, consecutiveFailures: 5, halfOpenProbes: 2 } }
      : {}),
    ...(isOn(values, "health") ? { health: { intervalMs: 1_000, timeoutMs: 500, rise: 2, fall: 3 } } : {}),
    ...(isOn(values, "retries") ? { retries: { maxRetries: 2 } } : {}),
    ...(isOn(values, "bulkhead") ? { concurrencyLimit: placementLimit } : {}),
  });
  return {
    version: String(numberOf(values, "seed")),
    defaultPlacement: "tier3",
    routingTable: { visa: "visa", acme: "tier1", globex: "tier2", initech: "tier3" },
    placements: {
      visa: placement("dedicated", 9004),
      tier1: { ...placement("tier", 9001), ...(isOn(values, "failover") ? { fallback: ["tier2"] } : {}) },
      tier2: placement("tier", 9002),
      tier3: placement("tier", 9003),
    },
    ...(isOn(values, "limit") ? { keyLimits: { acme: { ratePerSecond: 5, burst: 5 } } } : {}),
  };
}
