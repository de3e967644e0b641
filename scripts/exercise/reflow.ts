// Fits prose that was wrapped for an editor to the width of a terminal. Knows the Markdown of lessons and hints:
// paragraphs, lists, and blocks that stay as they are.

import { wrap } from "../wrap.ts";

/** Wider than this, lines are hard to follow. */
const widest = 100;

/** Undefined: as it was written, for a pipe that may go anywhere. 0: so too, for a terminal that does not know its width. */
export function reflow(text: string, columns: number | undefined): string {
  if (columns === undefined || columns === 0) return text;
  const width = Math.max(20, Math.min(columns - 1, widest));
  // Splitting at fences with a capture leaves the fenced blocks at the odd places.
  return text
    .split(/(^```[\s\S]*?^```$)/m)
    .map((part, index) => (index % 2 === 1 ? part : reflowProse(part, width)))
    .join("");
}

function reflowProse(text: string, width: number): string {
  return text
    .split(/(\n\s*\n)/)
    .map((block) => (/^(?: {4}|\|)/m.test(block) ? block : reflowBlock(block, width)))
    .join("");
}

function reflowBlock(block: string, width: number): string {
  // A line that begins an item begins a line; every other line goes on with the one before.
  return block
    .split(/\n(?=(?:-|\d+\.) )/)
    .map((item) => {
      const isItem = /^(?:-|\d+\.) /.test(item);
      const edges = /^(\n*)([\s\S]*?)(\n*)$/.exec(item);
      const [, before = "", body = "", after = ""] = edges ?? [];
      const lines = wrap(body.replace(/\n */g, " "), isItem ? width - 2 : width).split("\n");
      return before + lines.join(isItem ? "\n  " : "\n") + after;
    })
    .join("\n");
}
