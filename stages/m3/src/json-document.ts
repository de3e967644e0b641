// From bytes to a JSON value, or to the reasons why not. Stricter than `JSON.parse`, which accepts documents that nobody
// means, and ones that cost far more memory than they have bytes. No Node API: the same reader runs in a browser.

import { faultAt, firstFaults, isObject } from "./validation.ts";

/** A routing document has four levels. One that is nested without end would exhaust a stack or the memory. */
const maxDepth = 16;

/** The longest list of a routing document has 16 elements. An empty list has two bytes on disk and fifty in memory. */
const maxListLength = 1_000;

export type JsonRead =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly faults: readonly string[] };

/** Reads UTF-8 JSON, with or without a byte order mark. Never throws, and costs a small multiple of `bytes`. */
export function readJson(bytes: Uint8Array): JsonRead {
  const shape = shapeOf(bytes);
  if (typeof shape === "string") return { ok: false, faults: [`(document): ${shape}`] };
  try {
    // Fatal: a byte that is not UTF-8 would become another character, and a routing key another tenant's.
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    const value: unknown = JSON.parse(text);
    // Of two members with one name `JSON.parse` keeps the last: fewer came out than went in.
    const isWhole = membersOf(value) === shape.members;
    return isWhole ? { ok: true, value } : { ok: false, faults: repeatedNames(text) };
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    // V8 quotes the text around a fault. Where an @ stands, that may be a password.
    const told = bytes.includes(atSign) ? words.replace(/, (?:\.{3})?".*$/s, "") : words;
    return { ok: false, faults: [`(document): not JSON: ${told}`] };
  }
}

const [quote, comma, colon, atSign = 0, openList, backslash, closeList, open, close] = [...'",:@[\\]{}'].map(
  (character) => character.charCodeAt(0),
);

/**
 * How many members the objects of a document have, or what is wrong with its shape. One pass that keeps nothing, before
 * anything is made of the bytes. What is not JSON at all is left to `JSON.parse`.
 */
function shapeOf(bytes: Uint8Array): { readonly members: number } | string {
  let members = 0;
  let depth = 0;
  /** By depth: commas of the list that is open there. An object may have any number. */
  const commas = new Float64Array(maxDepth + 1);
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === quote) {
      at = endOfString(bytes, at);
    } else if (byte === colon) {
      members += 1;
    } else if (byte === open || byte === openList) {
      depth += 1;
      if (depth > maxDepth) return `nested deeper than ${maxDepth} levels`;
      commas[depth] = byte === open ? Number.NEGATIVE_INFINITY : 0;
    } else if (byte === close || byte === closeList) {
      depth = Math.max(0, depth - 1);
    } else if (byte === comma) {
      const inThisList = (commas[depth] ?? 0) + 1;
      if (inThisList >= maxListLength) return `a list of more than ${maxListLength} elements`;
      commas[depth] = inThisList;
    }
  }
  return { members };
}

/** Where the quote is that ends the string which begins at `from`; the last byte when none does. */
function endOfString(bytes: Uint8Array, from: number): number {
  for (let at = from + 1; at < bytes.length; at++) {
    if (bytes[at] === backslash) at += 1;
    else if (bytes[at] === quote) return at;
  }
  return bytes.length - 1;
}

/** Members of all objects in a value. Recursion is safe: `maxDepth` bounds it. */
function membersOf(value: unknown): number {
  if (Array.isArray(value)) return value.reduce<number>((sum, element) => sum + membersOf(element), 0);
  if (!isObject(value)) return 0;
  const names = Object.keys(value);
  let members = names.length;
  for (const name of names) members += membersOf(value[name]);
  return members;
}

/** Names that stand twice in one object of a JSON text, each as a fault with its path. */
function repeatedNames(text: string): readonly string[] {
  const faults: string[] = [];
  /** Objects and lists that are open; a list has no names. */
  const open: { readonly names: Map<string, number> | undefined; name: string | number }[] = [];
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    const inside = open.at(-1);
    if (character === "{") open.push({ names: new Map(), name: "" });
    else if (character === "[") open.push({ names: undefined, name: 0 });
    else if (character === "}" || character === "]") open.pop();
    else if (character === "," && typeof inside?.name === "number") inside.name += 1;
    else if (character === '"') {
      const end = endOfText(text, at);
      if (inside?.names !== undefined && isName(text, end)) {
        // Decoded: "\u0061" is "a" as well.
        inside.name = JSON.parse(text.slice(at, end)) as string;
        const times = (inside.names.get(inside.name) ?? 0) + 1;
        inside.names.set(inside.name, times);
        const path = open.map(({ name }) => name);
        if (times === 2)
          faults.push(faultAt(path, "is there more than once; JSON would keep the last one only"));
      }
      at = end - 1;
    }
  }
  return firstFaults(faults);
}

/** The place after the string that begins at `from`. */
function endOfText(text: string, from: number): number {
  let at = from + 1;
  while (text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}

/** Whether the string before `at` is the name of a member. */
function isName(text: string, at: number): boolean {
  let next = at;
  while (" \t\n\r".includes(text[next] ?? ":")) next += 1;
  return text[next] === ":";
}
