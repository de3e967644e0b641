// A strict reader of the Prometheus text format, version 0.0.4: what it does not know is an error, because a scraper
// that is more tolerant than the next one hides a fault.
// https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format

export type MetricType = "counter" | "gauge" | "histogram" | "summary" | "untyped";

export interface Sample {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

export interface MetricFamily {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** A text that is not in the format. */
export class NotPrometheusText extends Error {
  override readonly name = "NotPrometheusText";
}

const metricName = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const helpLine = new RegExp(`^# HELP (${metricName}) ((?:[^\\\\\\n]|\\\\\\\\|\\\\n)*)$`);
const typeLine = new RegExp(`^# TYPE (${metricName}) (counter|gauge|histogram|summary|untyped)$`);
const sampleLine = new RegExp(`^(${metricName})(?:\\{(.*)\\})? (\\S+)(?: (-?\\d+))?$`);
const labelPair = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(,|$)/;
const numeric = /^(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?Inf|NaN)$/;

interface OpenFamily extends MetricFamily {
  readonly samples: Sample[];
}

/** Every family by name. @throws NotPrometheusText naming the line */
export function parsePrometheusText(text: string): ReadonlyMap<string, MetricFamily> {
  if (!text.endsWith("\n")) throw new NotPrometheusText("The last line has no end");
  const families = new Map<string, OpenFamily>();
  const helps = new Map<string, string>();
  const series = new Set<string>();
  let open: OpenFamily | undefined;
  for (const line of text.slice(0, -1).split("\n")) {
    const fail = (why: string): never => {
      throw new NotPrometheusText(`${why}: ${JSON.stringify(line)}`);
    };
    const [, helped, help = ""] = helpLine.exec(line) ?? [];
    const [, typed, type] = typeLine.exec(line) ?? [];
    if (line === "") continue;
    if (helped !== undefined) {
      if (helps.has(helped)) fail("A second HELP");
      helps.set(helped, help);
    } else if (typed !== undefined) {
      if (families.has(typed)) fail("A second TYPE, or a family in two places");
      open = {
        name: typed,
        type: type as MetricType,
        help: helps.get(typed) ?? fail("No HELP"),
        samples: [],
      };
      families.set(typed, open);
    } else if (line.startsWith("#")) {
      fail("A comment that is neither HELP nor TYPE");
    } else {
      const sample = readSample(line, fail);
      if (open === undefined || !belongs(sample.name, open)) return fail("A sample outside its family");
      const id = `${sample.name}|${[...sample.labels].map((pair) => pair.join("=")).sort()}`;
      if (series.has(id)) fail("The same series twice");
      series.add(id);
      open.samples.push(sample);
    }
  }
  for (const family of families.values()) checkValues(family);
  return families;
}

function readSample(line: string, fail: (why: string) => never): Sample {
  const [, name = "", labelText = "", value = ""] = sampleLine.exec(line) ?? fail("Not a sample");
  if (!numeric.test(value)) fail("Not a number");
  const labels = new Map<string, string>();
  for (let rest = labelText; rest !== ""; ) {
    const match = labelPair.exec(rest);
    if (match === null) return fail("Not a label");
    const [whole, label = "", escaped = ""] = match;
    if (labels.has(label)) fail("The same label twice");
    labels.set(label, unescaped(escaped));
    rest = rest.slice(whole.length);
  }
  return { name, labels, value: numberOf(value) };
}

function belongs(sample: string, { name, type }: MetricFamily): boolean {
  if (type === "histogram") return ["_bucket", "_sum", "_count"].some((end) => sample === `${name}${end}`);
  if (type === "summary") return [name, `${name}_sum`, `${name}_count`].includes(sample);
  return sample === name;
}

/** Counters never go below zero, and a histogram's buckets add up. */
function checkValues({ name, type, samples }: MetricFamily): void {
  if (type === "counter" && samples.some(({ value }) => !(value >= 0)))
    throw new NotPrometheusText(`The counter ${name} has a value that is no count`);
  if (type !== "histogram") return;
  for (const count of samples.filter((each) => each.name === `${name}_count`)) {
    const own = (each: Sample) =>
      [...count.labels].every(([label, value]) => each.labels.get(label) === value);
    const buckets = samples.filter((each) => each.name === `${name}_bucket` && own(each));
    const bounds = buckets.map(({ labels }) => numberOf(labels.get("le") ?? ""));
    const isRising = (values: readonly number[]) =>
      values.every((value, at) => value >= (values[at - 1] ?? 0));
    if (!isRising(bounds) || !isRising(buckets.map(({ value }) => value)))
      throw new NotPrometheusText(`The buckets of ${name} do not rise`);
    if (bounds.at(-1) !== Number.POSITIVE_INFINITY || buckets.at(-1)?.value !== count.value)
      throw new NotPrometheusText(`The last bucket of ${name} is not its count`);
  }
}

function unescaped(text: string): string {
  return text.replace(/\\([\\"n])/g, (_, what: string) => (what === "n" ? "\n" : what));
}

function numberOf(text: string): number {
  return Number(text.replace("Inf", "Infinity"));
}

/** The sum of the series called `name` whose labels include `labels`; 0 where there is none. */
export function sumOf(
  families: ReadonlyMap<string, MetricFamily>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const samples = [...families.values()].flatMap((family) => family.samples);
  const wanted = Object.entries(labels);
  return samples
    .filter(
      (sample) =>
        sample.name === name && wanted.every(([label, value]) => sample.labels.get(label) === value),
    )
    .reduce((sum, { value }) => sum + value, 0);
}
