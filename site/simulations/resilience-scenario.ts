// What can be set in m4's simulation, and the routing document that the settings make: the same document that a router
// of m4 would read.

import { isOn, numberOf, type Parameter, seedParameter, type Values } from "./simulation.ts";

export type Fault = "down" | "error" | "hang" | "flap" | "none";

export const cells = ["visa", "tier1", "tier2", "tier3"];
export const tenants = ["visa", "acme", "globex", "initech"];

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
    value: 12,
  },
  {
    kind: "choice",
    name: "fault",
    label: "tier1 from 4 s to 11 s",
    choices: [
      { value: "error", label: "answers 503" },
      { value: "down", label: "refuses connections" },
      { value: "hang", label: "never answers" },
      { value: "flap", label: "fails every other second" },
      { value: "none", label: "works" },
    ],
    value: "error",
  },
  { kind: "switch", name: "breaker", label: "Circuit breaker", value: true },
  { kind: "switch", name: "health", label: "Health checks", value: false },
  { kind: "switch", name: "failover", label: "Fallback tier1 → tier2", value: true },
  { kind: "switch", name: "retries", label: "Retries", value: false },
  { kind: "switch", name: "bulkhead", label: "4 in flight a placement", value: false },
  { kind: "switch", name: "limit", label: "acme: 5 a second", value: false },
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
    ...(isOn(values, "bulkhead") ? { concurrencyLimit: 4 } : {}),
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
