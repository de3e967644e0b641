// What every simulation on the pages is: parameters in, a recording out (a log of events, and the way of each request),
// computed whole before the first event is shown. Playing, pausing and going back only choose a moment in the recording.

import { formatFaults, readFaults } from "./faults.ts";
import type { Trip } from "./trips.ts";

export type Tone = "good" | "bad" | "warn" | "info";

/** One thing that happened, with the state of everything after it. */
export interface SimEvent<State> {
  readonly atMs: number;
  /** Who did it: `router`, `tier1`, `control plane`. */
  readonly actor: string;
  readonly what: string;
  readonly tone: Tone;
  readonly state: State;
}

export type Parameter =
  | {
      readonly kind: "number";
      readonly name: string;
      readonly label: string;
      readonly min: number;
      readonly max: number;
      readonly step: number;
      readonly value: number;
      readonly unit?: string;
    }
  | {
      readonly kind: "choice";
      readonly name: string;
      readonly label: string;
      readonly choices: readonly { readonly value: string; readonly label: string }[];
      readonly value: string;
    }
  | { readonly kind: "switch"; readonly name: string; readonly label: string; readonly value: boolean }
  | {
      /** What is broken, and when; written as `faults.ts` reads it. The reader breaks things in the scene itself. */
      readonly kind: "faults";
      readonly name: string;
      readonly label: string;
      /** What can be broken, and what happens to it then: "tier1" → "tier1 is down". */
      readonly targets: Readonly<Record<string, string>>;
      readonly value: string;
    };

export type Values = Readonly<Record<string, number | string | boolean>>;

/** A stretch of time in which a guard was in a state that is worth a mark under the scene. */
export interface Band {
  readonly label: string;
  readonly kind: "open" | "half-open";
  readonly fromMs: number;
  readonly untilMs: number;
}

/** A whole run. */
export interface Recording<State> {
  readonly events: readonly SimEvent<State>[];
  /** Every request, in the order in which they began. */
  readonly trips: readonly Trip[];
  readonly bands: readonly Band[];
  /** Whose trouble it is: who runs a load test, or whose cell is broken. All others are bystanders. */
  readonly culprits: ReadonlySet<string>;
}

/** One of the worlds that are shown side by side: the same seed and faults, other values. */
export interface World {
  readonly name: string;
  readonly label: (values: Values) => string;
  readonly values: Values;
}

/** What is drawn under a scene, one row each. */
export type Row = "bystanders" | "success" | "share" | "latency" | "in flight";

export interface Simulation<State> {
  /** Prefix of the parameters in the page's address. */
  readonly name: string;
  readonly parameters: readonly Parameter[];
  readonly durationMs: number;
  /** One, or the broken world and the mended one. */
  readonly worlds: readonly World[];
  readonly rows: readonly Row[];
  /** What the row "share" shows, from 0 to 1. */
  readonly share?: { readonly label: string; readonly of: (state: State) => number };
  /** The state before the first event. */
  readonly before: (values: Values) => State;
  readonly run: (values: Values) => Recording<State>;
}

/** The values that a world runs with. */
export function valuesIn(world: World, values: Values): Values {
  return { ...values, ...world.values };
}

/** The seed is a parameter like any other. */
export const seedParameter: Parameter = {
  kind: "number",
  name: "seed",
  label: "Seed",
  min: 1,
  max: 9999,
  step: 1,
  value: 1,
};

export function defaultValues(parameters: readonly Parameter[]): Values {
  return Object.fromEntries(parameters.map(({ name, value }) => [name, value]));
}

/** Reads the values of `simulation` from an address's query. What is missing or makes no sense keeps its default. */
export function readValues(
  { name: prefix, parameters }: Pick<Simulation<unknown>, "name" | "parameters">,
  query: URLSearchParams,
): Values {
  return Object.fromEntries(
    parameters.map((parameter) => {
      const text = query.get(`${prefix}.${parameter.name}`);
      return [parameter.name, text === null ? parameter.value : readValue(parameter, text)];
    }),
  );
}

function readValue(parameter: Parameter, text: string): number | string | boolean {
  switch (parameter.kind) {
    case "number": {
      const value = Number(text);
      const fits = text !== "" && value >= parameter.min && value <= parameter.max;
      return fits ? value : parameter.value;
    }
    case "choice":
      return parameter.choices.some(({ value }) => value === text) ? text : parameter.value;
    case "switch":
      return text === "on" || text === "off" ? text === "on" : parameter.value;
    case "faults":
      // Read and written again: what the page holds is always in one form.
      return text === "" ? "" : formatFaults(readFaults(text, parameter.targets)) || parameter.value;
    default:
      return parameter satisfies never;
  }
}

/** Writes values that differ from the defaults into a query, and takes those out that do not. */
export function writeValues(
  { name: prefix, parameters }: Pick<Simulation<unknown>, "name" | "parameters">,
  values: Values,
  query: URLSearchParams,
): void {
  for (const { name, value: usual } of parameters) {
    const value = values[name];
    if (value === undefined || value === usual) query.delete(`${prefix}.${name}`);
    else query.set(`${prefix}.${name}`, typeof value === "boolean" ? (value ? "on" : "off") : String(value));
  }
}

export function numberOf(values: Values, name: string): number {
  return Number(values[name]);
}

export function textOf(values: Values, name: string): string {
  return String(values[name]);
}

export function isOn(values: Values, name: string): boolean {
  return values[name] === true;
}

/** The log as text, one line an event: equal texts mean equal runs. */
export function logText(events: readonly SimEvent<unknown>[]): string {
  return events.map(({ atMs, actor, what }) => `${atMs} ${actor}: ${what}`).join("\n");
}
