// The rungs of m5's ladder in one convention: the CPU time per request without the step, as a multiple of that with it.

import type { LadderBlock, LadderTable } from "./ladder.data.ts";

export interface Rung {
  /** Text without markup. */
  readonly name: string;
  /** One ratio for each run that measured it. */
  readonly ratios: readonly number[];
}

/** "Without it" is that ratio; "Ratio to before" is what the step left of the cost, so it is turned over. */
const conventions: Readonly<Record<string, (ratio: number) => number>> = {
  "Without it": (ratio) => ratio,
  "Ratio to before": (ratio) => 1 / ratio,
};

/** @throws Error where the ladder has no such table: the picture would be empty without a word */
export function rungsOf(ladder: readonly LadderBlock[]): readonly Rung[] {
  const rungs = ladder.flatMap((block) => (block.kind === "table" ? rungsIn(block.table) : []));
  if (rungs.length === 0) throw new Error('m5\'s ladder has no table "Without it" or "Ratio to before"');
  return rungs;
}

function rungsIn({ head, rows }: LadderTable): Rung[] {
  const convert = conventions[textOf(head[1])];
  if (convert === undefined) return [];
  return rows.map(({ cells: [name, measured] }) => ({
    name: textOf(name),
    ratios: [...textOf(measured).matchAll(/\d+\.\d+/g)].map(([ratio]) => convert(Number(ratio))),
  }));
}

function textOf(html = ""): string {
  return html
    .replace(/<[^>]+>/g, "")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&")
    .trim();
}
