// How much of a region a page shows at first, and how its comments fit beside it.

import { wrap } from "../wrap.ts";

/** A region up to this long is shown whole. */
const mostWhole = 18;
const excerptLines = { least: 8, most: 15 };

/** The widest comment that fits on a page, in characters. Wider ones are broken anew; code never is. */
export const commentColumns = 92;

/**
 * The beginning of `code`, cut where a reader would: before an empty line, or behind a statement as far out as there is
 * one. Undefined for code that is short enough to stand whole.
 */
export function excerptOf(code: string): string | undefined {
  const lines = code.split("\n");
  if (lines.length <= mostWhole) return undefined;
  const textOf = (at: number) => (lines[at] ?? "").trim();
  const indentOf = (at: number) => (lines[at] ?? "").length - (lines[at] ?? "").trimStart().length;
  const all = Array.from(
    { length: excerptLines.most - excerptLines.least + 1 },
    (_, index) => excerptLines.most - index,
  );
  // A line that opens something, or a comment, is the beginning of what follows it.
  const cuts = all.filter(
    (cut) => !/(?:[{([,=*]|=>|^\/\/.*|\*\/)$/.test(textOf(cut - 1)) && textOf(cut - 1) !== "",
  );
  const best =
    cuts.find((cut) => textOf(cut) === "") ??
    cuts.toSorted((one, other) => indentOf(one - 1) - indentOf(other - 1) || other - one)[0] ??
    excerptLines.most;
  const next = lines.findIndex((line, at) => at >= best && line.trim() !== "");
  return `${lines.slice(0, best).join("\n")}\n${" ".repeat(indentOf(next))}// …`;
}

interface Comment {
  /** What stands before the words: indent and mark. */
  readonly lead: string;
  readonly words: string;
}

function commentOf(line: string): Comment | undefined {
  const [, lead = "", words = ""] = /^(\s*(?:\/\/|\*(?!\/)) )(\S.*)$/.exec(line) ?? [];
  return words === "" ? undefined : { lead, words };
}

/** Breaks paragraphs of comments that are wider than `columns`. Lists, tags and code stay as they are. */
export function fitComments(code: string, columns = commentColumns): string {
  const result: string[] = [];
  let paragraph: Comment[] = [];
  const flush = () => {
    const [first] = paragraph;
    const isWide = paragraph.some(({ lead, words }) => lead.length + words.length > columns);
    if (first !== undefined && isWide) {
      const words = paragraph.map((each) => each.words).join(" ");
      const lines = wrap(words, columns - first.lead.length).split("\n");
      result.push(...lines.map((line) => first.lead + line));
    } else result.push(...paragraph.map(({ lead, words }) => lead + words));
    paragraph = [];
  };
  for (const line of code.split("\n").flatMap((each) => (each.length > columns ? opened(each) : [each]))) {
    const comment = commentOf(line);
    const isItem = comment !== undefined && /^(?:[-@]|\d+\.|https?:|#(?:end)?region)/.test(comment.words);
    if (comment === undefined || isItem || paragraph[0]?.lead !== comment.lead) flush();
    if (comment === undefined) result.push(line);
    else paragraph.push(comment);
  }
  flush();
  return result.join("\n");
}

/** A comment on one line becomes one on three, whose words can be broken. */
function opened(line: string): string[] {
  const [, indent, words] = /^(\s*)\/\*\* (.*) \*\/$/.exec(line) ?? [];
  return indent === undefined ? [line] : [`${indent}/**`, `${indent} * ${words}`, `${indent} */`];
}
