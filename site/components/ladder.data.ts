// The section "The ladder" of m5's README, without the table of steps: the page has a plot of those.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { inlineHtml, tablesOf } from "../../scripts/markdown.ts";

export type LadderBlock =
  | { readonly kind: "heading" | "words"; readonly html: string }
  /** HTML of the cells; the first row is the head. */
  | { readonly kind: "table"; readonly rows: readonly (readonly string[])[] };

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
    .replace(/^<!-- rungs:.*?^<!-- \/rungs -->$/ms, "")
    .split(/\n\s*\n/)
    .map((text) => text.trim())
    .filter((text) => text !== "")
    .map(readBlock);
}

function readBlock(text: string): LadderBlock {
  if (text.startsWith("### ")) return { kind: "heading", html: inlineHtml(text.slice(4)) };
  const [table] = tablesOf(text);
  if (table !== undefined) return { kind: "table", rows: table.map((cells) => cells.map(inlineHtml)) };
  return { kind: "words", html: inlineHtml(text.replace(/\s+/g, " ")) };
}
