// How far the reader has come with the exercises, as the exercises' own pages keep it in this browser. What cannot be read counts as
// nothing: this only draws marks.

export type Progress = "begun" | "done";

/** Where those pages keep their work. */
export const keptUnder = "cell-routing.exercises";

/** @param text What is kept, if anything */
export function progressIn(text: string | null): ReadonlyMap<string, Progress> {
  const { version, exercises } = recordOf(parse(text));
  if (version !== 1) return new Map();
  return new Map(
    Object.entries(recordOf(exercises)).map(([id, kept]) => [
      id,
      typeof recordOf(kept)["passedAt"] === "string" ? "done" : "begun",
    ]),
  );
}

function parse(text: string | null): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
