// The section "The ladder" of m5's README: its figures stand in one place, and the page draws them from there.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { inlineHtml } from "../../scripts/markdown.ts";

export interface LadderTable {
  readonly head: readonly string[];
  readonly rows: readonly LadderRow[];
}

export interface LadderRow {
  /** HTML of the cells. */
  readonly cells: readonly string[];
  /** The ratio at the beginning of the second cell, where the whole table is one of ratios that can be drawn. */
  readonly ratio?: number;
}

export type LadderBlock =
  | { readonly kind: "heading"; readonly html: string }
  | { readonly kind: "words"; readonly html: string }
  | { readonly kind: "table"; readonly table: LadderTable };

const file = fileURLToPath(new URL("../../stages/m5/README.md", import.meta.url));

declare const data: readonly LadderBlock[];

export { data };

export default {
  watch: ["../../stages/m5/README.md"],
  load: () => readLadder(readFileSync(file, "utf8")),
};

/** @throws Error for a README without the section: the page would stand there without a figure */
export function readLadder(readme: string): readonly LadderBlock[] {
  const section = /^## The ladder\n([\s\S]*?)(?=^## )/m.exec(readme)?.[1];
  if (section === undefined) throw new Error('stages/m5/README.md has no section "The ladder"');
  return section
    .split(/\n\s*\n/)
    .map((text) => text.trim())
    .filter((text) => text !== "")
    .map(readBlock);
}

function readBlock(text: string): LadderBlock {
  if (text.startsWith("### ")) return { kind: "heading", html: inlineHtml(text.slice(4)) };
  if (text.startsWith("|")) return { kind: "table", table: readTable(text) };
  return { kind: "words", html: inlineHtml(text.replace(/\s+/g, " ")) };
}

function readTable(text: string): LadderTable {
  const [head = [], , ...rows] = text.split("\n").map((line) =>
    line
      .replace(/^\||\|$/g, "")
      .split("|")
      .map((cell) => inlineHtml(cell.trim())),
  );
  // "1.34 [1.32]" can be drawn; "0.77, 0.90, 0.98" is three, and "0.99" of two peers is a matter of reading.
  const ratios = rows.map(([, ratio = ""]) => Number(/^(\d+\.\d+)(?: \[[\d.]+\])?$/.exec(ratio)?.[1]));
  const isDrawn = ratios.length > 3 && ratios.every(Number.isFinite) && head.length === 3;
  return {
    head,
    rows: rows.map((cells, index) => ({ cells, ...(isDrawn && { ratio: ratios[index] ?? 1 }) })),
  };
}
