// The code that a page shows is a region of a file in the tree, never text typed into the page. This module reads the
// regions, finds the places that embed them, and says what does not fit. Used while the site is built and by verify.
//
//   <<< stages/m1/src/routing.ts#route        a region
//   <<< stages/m2/routing.json                a whole file that has no regions
//   <<< stages/m1/src/log.ts#log | The log    a region folded under its caption; code-notes.ts has what may stand below one

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fencesOf } from "../markdown.ts";

export interface Region {
  readonly name: string;
  /** Line of the marker, from 1. */
  readonly line: number;
  /** Code between the markers, moved to the left margin, without the markers of regions inside it. */
  readonly text: string;
}

export interface Embed {
  /** Relative to the project. */
  readonly path: string;
  readonly region: string | undefined;
  /** What is shown in place of the code until somebody unfolds it. */
  readonly caption: string | undefined;
  /** Line of the page, from 1. */
  readonly line: number;
}

export type EmbeddedCode =
  | { readonly ok: true; readonly text: string; readonly line: number }
  | { readonly ok: false; readonly fault: string };

const opening = /^\s*\/\/ #region (\S+)\s*$/;
const closing = /^\s*\/\/ #endregion(?: (\S+))?\s*$/;

/** Every region of a source file. @throws Error for a marker without its partner, or a name that is there twice */
export function readRegions(source: string): Region[] {
  const lines = source.split("\n");
  const regions: Region[] = [];
  const open: { name: string; line: number }[] = [];
  for (const [index, text] of lines.entries()) {
    const starts = opening.exec(text)?.[1];
    if (starts !== undefined) open.push({ name: starts, line: index + 1 });
    const ends = closing.exec(text);
    if (ends === null) continue;
    const last = open.pop();
    if (last === undefined) throw new Error(`line ${index + 1}: #endregion without #region`);
    if (ends[1] !== undefined && ends[1] !== last.name)
      throw new Error(`line ${index + 1}: #endregion ${ends[1]} closes #region ${last.name}`);
    if (regions.some(({ name }) => name === last.name))
      throw new Error(`line ${last.line}: a second region "${last.name}"`);
    regions.push({ ...last, text: bodyOf(lines.slice(last.line, index)) });
  }
  const unclosed = open[0];
  if (unclosed !== undefined)
    throw new Error(`line ${unclosed.line}: #region ${unclosed.name} is never closed`);
  return regions;
}

function bodyOf(lines: readonly string[]): string {
  const kept = lines.filter((line) => !opening.test(line) && !closing.test(line));
  const indents = kept
    .filter((line) => line.trim() !== "")
    .map((line) => line.length - line.trimStart().length);
  const indent = Math.min(...indents);
  return kept
    .map((line) => line.slice(indent))
    .join("\n")
    .replace(/^\n+|\n+$/g, "");
}

const embed = /^<<< (\S+?)(?:#(\S+))?(?: \| (\S.*?))?\s*$/;

/** What a page embeds, in order. Lines inside a fence are text. */
export function readEmbeds(markdown: string): Embed[] {
  const fences = fencesOf(markdown);
  return markdown.split("\n").flatMap((text, index) => {
    const line = index + 1;
    const found = parseEmbed(text);
    const isFenced = fences.some((fence) => fence.line <= line && line <= fence.lastLine);
    return found === undefined || isFenced ? [] : [{ ...found, line }];
  });
}

export function parseEmbed(line: string): Omit<Embed, "line"> | undefined {
  const [, path, region, caption] = embed.exec(line) ?? [];
  return path === undefined ? undefined : { path, region, caption };
}

/** The code that an embed stands for, or why there is none. */
export function embeddedCode(root: string, { path, region }: Pick<Embed, "path" | "region">): EmbeddedCode {
  if (!/^(?:ports|shared|stages)\//.test(path)) return fault(`"${path}" is not code of a stage`);
  const file = join(root, path);
  if (!existsSync(file)) return fault(`there is no file "${path}"`);
  const source = readFileSync(file, "utf8");
  try {
    const regions = readRegions(source);
    if (region === undefined) {
      if (regions.length > 0)
        return fault(`"${path}" has regions: name one of ${regions.map(({ name }) => name).join(", ")}`);
      return { ok: true, text: source.trimEnd(), line: 1 };
    }
    const found = regions.find(({ name }) => name === region);
    if (found === undefined)
      return fault(
        `"${path}" has no region "${region}"; it has ${regions.map(({ name }) => name).join(", ") || "none"}`,
      );
    return { ok: true, text: found.text, line: found.line + 1 };
  } catch (error) {
    return fault(`"${path}": ${error instanceof Error ? error.message : error}`);
  }
}

function fault(words: string): EmbeddedCode {
  return { ok: false, fault: words };
}
