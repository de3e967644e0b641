// What every simulation on the pages is: parameters in, a log of events out, computed whole before the first one is
// shown. Playing, pausing and stepping are therefore only a matter of which event is the current one.

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
  | { readonly kind: "switch"; readonly name: string; readonly label: string; readonly value: boolean };

export type Values = Readonly<Record<string, number | string | boolean>>;

export interface Simulation<State> {
  /** Prefix of the parameters in the page's address. */
  readonly name: string;
  readonly parameters: readonly Parameter[];
  readonly durationMs: number;
  /** The state before the first event. */
  readonly before: (values: Values) => State;
  readonly run: (values: Values) => readonly SimEvent<State>[];
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
