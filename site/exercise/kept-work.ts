// What the page keeps of a learner's work: in this browser, under one key, versioned. What cannot be read is put aside and
// a new one is begun; it is a convenience and never a gate.

import type { AnswerFiles } from "./bundle.ts";

export interface KeptExercise {
  readonly files: AnswerFiles;
  readonly passedAt?: string;
}

export interface KeptWork {
  readonly version: 1;
  /** By id: `m4/03-half-open`. */
  readonly exercises: Readonly<Record<string, KeptExercise>>;
}

/** As much of `Storage` as is used. */
export type Shelf = Pick<Storage, "getItem" | "setItem">;

/** The browser's own store, or the page's memory where the browser lets it keep nothing. */
export function shelfOf(browser: () => Shelf): Shelf {
  try {
    const shelf = browser();
    shelf.setItem(`${shelfKey}.probe`, "");
    return shelf;
  } catch {
    const kept = new Map<string, string>();
    return { getItem: (key) => kept.get(key) ?? null, setItem: (key, text) => void kept.set(key, text) };
  }
}

export const shelfKey = "cell-routing.exercises";

const empty: KeptWork = { version: 1, exercises: {} };

export function readKept(shelf: Shelf): KeptWork {
  const text = shelf.getItem(shelfKey);
  if (text === null) return empty;
  const work = parseKept(text);
  if (work !== undefined) return work;
  shelf.setItem(`${shelfKey}.unreadable`, text);
  return empty;
}

/** Keeps one exercise. Reads first: another tab may have kept others. */
export function keepExercise(shelf: Shelf, id: string, kept: KeptExercise): void {
  keepAll(shelf, { [id]: kept });
}

export function keepAll(shelf: Shelf, exercises: KeptWork["exercises"]): void {
  const work = readKept(shelf);
  shelf.setItem(shelfKey, JSON.stringify({ version: 1, exercises: { ...work.exercises, ...exercises } }));
}

/** Work as text, from this browser or from a file; undefined when it is none of this version. */
export function parseKept(text: string): KeptWork | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(parsed) || parsed["version"] !== 1 || !isRecord(parsed["exercises"])) return undefined;
  const exercises = Object.entries(parsed["exercises"]).filter((entry): entry is [string, KeptExercise] =>
    isKept(entry[1]),
  );
  return { version: 1, exercises: Object.fromEntries(exercises) };
}

function isKept(value: unknown): value is KeptExercise {
  if (!isRecord(value) || !isRecord(value["files"])) return false;
  const isTimed = value["passedAt"] === undefined || typeof value["passedAt"] === "string";
  return isTimed && Object.values(value["files"]).every((text) => typeof text === "string");
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
