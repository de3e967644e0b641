// The calculator's fields, and its results in words and units. Pure, so that tests read what a reader reads.

import type { Capacity, Fleet } from "./fleet-capacity.ts";

export interface FleetField {
  readonly name: keyof Fleet;
  readonly label: string;
  readonly min: number;
  readonly max: number;
  readonly step: number;
}

export const fleetFields: readonly FleetField[] = [
  { name: "routers", label: "Routers", min: 1, max: 100_000, step: 1 },
  { name: "keys", label: "Keys", min: 1, max: 10_000_000, step: 1 },
  { name: "pushesPerSecond", label: "Pushes per second", min: 0.01, max: 1000, step: 0.01 },
  { name: "bytesPerEntry", label: "Bytes per entry", min: 8, max: 400, step: 1 },
];

/** What was typed, as a number that the field takes. `words` say so where it is another one. */
export function readField(field: FleetField, text: string, before: number): { value: number; words: string } {
  const { label, min, max, step } = field;
  const typed = Number(text);
  const isNumber = text.trim() !== "" && Number.isFinite(typed);
  const bounded = Math.min(max, Math.max(min, isNumber ? typed : before));
  const value = Number((Math.round(bounded / step) * step).toFixed(2));
  const isOther = !isNumber || value !== typed;
  return { value, words: isOther ? `${label}: ${min} to ${max}; it is now ${value}.` : "" };
}

export interface FleetRow {
  readonly name: string;
  readonly whole: string;
  readonly delta: string;
}

export function fleetRows(whole: Capacity, delta: Capacity): FleetRow[] {
  const row = (name: string, of: (capacity: Capacity) => string) => ({
    name,
    whole: of(whole),
    delta: of(delta),
  });
  return [
    row("One message", ({ messageBytes }) => bytes(messageBytes)),
    row("One push to all routers", ({ pushBytes }) => bytes(pushBytes)),
    row("Sent per second", ({ bytesPerSecond }) => bytes(bytesPerSecond)),
    row("Until the last router has it", ({ lastAckMs }) => duration(lastAckMs)),
    row("Control plane, of one core", ({ controlPlaneCores }) => `${figure(controlPlaneCores * 100)} %`),
    row("Control plane, memory", ({ controlPlaneMiB }) => bytes(controlPlaneMiB * 1024 * 1024)),
    row("One router, memory", ({ routerMiB }) => bytes(routerMiB * 1024 * 1024)),
    row("… while it takes the next table", ({ routerPeakMiB }) => bytes(routerPeakMiB * 1024 * 1024)),
  ];
}

const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

function bytes(count: number): string {
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(count) / 10)));
  return `${figure(count / 1024 ** power)} ${units[power]}`;
}

function duration(ms: number): string {
  if (ms < 1000) return `${figure(ms)} ms`;
  return ms < 120_000 ? `${figure(ms / 1000)} s` : `${figure(ms / 60_000)} min`;
}

/** Two digits: the arithmetic is no better than that. */
function figure(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString("en-US") : String(Number(value.toPrecision(2)));
}
