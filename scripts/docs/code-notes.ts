// Markdown: what may stand directly below `<<< path#region`, to show a part of the region with notes beside it.
//
//   <<< stages/m1/src/proxy.ts#serve
//   = `async serve(` … `return this.#refuse`     the lines shown, from one text to another; as many ranges as needed
//   - `store.current()` One read per request.    a note on the line that holds this text
//
// Both quote the code: text that is not there any more stops the build, where a line number would point elsewhere.

import { escapeHtml } from "../markdown.ts";

/** So wide are comments beside notes, in characters. */
export const notedColumns = 64;

/** More lines than this are no longer read in one look. */
const mostLines = 18;

export interface Note {
  /** Stands in the line that the note is about. */
  readonly text: string;
  readonly words: string;
}

export interface Notes {
  readonly ranges: readonly { readonly from: string; readonly to: string }[];
  readonly notes: readonly Note[];
  /** How many lines of the page this takes. */
  readonly lineCount: number;
}

const rangeLine = /^= `([^`]+)`(?: … `([^`]+)`)?\s*$/;
const noteLine = /^- `([^`]+)` (\S.*)$/;

/** @param lines Of the page, from the one below the embed. @throws Error for a line that is nearly one of these */
export function readNotes(lines: readonly string[]): Notes {
  const ranges: { from: string; to: string }[] = [];
  const notes: Note[] = [];
  let lineCount = 0;
  for (const line of lines) {
    const [, from, to = from] = rangeLine.exec(line) ?? [];
    const [, text, words] = noteLine.exec(line) ?? [];
    const last = notes.at(-1);
    if (from !== undefined && to !== undefined) ranges.push({ from, to });
    else if (text !== undefined && words !== undefined) notes.push({ text, words });
    // A note may go on, indented, on the next lines.
    else if (last !== undefined && /^ {2}\S/.test(line))
      notes[notes.length - 1] = { ...last, words: `${last.words} ${line.trim()}` };
    else if (/^[=-] /.test(line))
      throw new Error(`Write = \`from\` … \`to\`, or - \`text\` note, not "${line}"`);
    else break;
    lineCount += 1;
  }
  return { ranges, notes, lineCount };
}

export interface NotedCode {
  readonly text: string;
  readonly isWhole: boolean;
  /** Line in `text` of each note, from 0. */
  readonly marks: readonly number[];
}

/** The lines of `code` that are shown. @throws Error where a quoted text is not there, or too much is shown */
export function notedCode(code: string, { ranges, notes }: Notes): NotedCode {
  const lines = code.split("\n");
  const shown: string[] = [];
  let next = 0;
  for (const { from, to } of ranges) {
    const first = lines.findIndex((line, at) => at >= next && line.includes(from));
    if (first < 0) throw new Error(`no line with "${from}" to begin with`);
    const last = lines.findIndex((line, at) => at >= first && line.includes(to));
    if (last < 0) throw new Error(`no line with "${to}" to end with`);
    const skipped = next === 0 ? [] : lines.slice(next, first);
    if (skipped.length > 0)
      shown.push(skipped.every((line) => line.trim() === "") ? "" : gapBefore(lines[first]));
    shown.push(...lines.slice(first, last + 1));
    next = last + 1;
  }
  if (ranges.length === 0) shown.push(...lines);
  const margin = Math.min(...shown.filter((line) => line.trim() !== "").map(indentOf));
  const rest = ranges.length === 0 ? [] : lines.slice(next);
  // What only closes what is shown belongs to it.
  if (rest.every((line) => /^\s*[)\]}]*[;,]?$/.test(line)))
    shown.push(...rest.filter((line) => indentOf(line) >= margin));
  else shown.push(gapBefore(rest.find((line) => line.trim() !== "" && indentOf(line) >= margin) ?? shown[0]));
  if (shown.length > mostLines)
    throw new Error(`${shown.length} lines with notes; show at most ${mostLines}, by = \`from\` … \`to\``);
  const marks = notes.map(({ text }) => shown.findIndex((line) => line.includes(text)));
  const lost = notes[marks.indexOf(-1)];
  if (lost !== undefined) throw new Error(`a note is on "${lost.text}", which no shown line has`);
  if (marks.some((mark, at) => mark <= (marks[at - 1] ?? -1)))
    throw new Error("notes stand in the order of their lines, one for a line");
  return { text: shown.map((line) => line.slice(margin)).join("\n"), isWhole: ranges.length === 0, marks };
}

function gapBefore(line = ""): string {
  return `${" ".repeat(indentOf(line))}// …`;
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}

/** Puts each line into an element of its own, and a number before those that have notes. */
export function markLines(html: string, marks: readonly number[]): string {
  return html.replace(/(<code[^>]*>)([\s\S]*?)(<\/code>)/, (_, open: string, body: string, close: string) => {
    const lines = body
      .replace(/\n$/, "")
      .split("\n")
      .map((line, at) => {
        const number = marks.indexOf(at) + 1;
        // The number is drawn by the style sheet: it is not copied with the code.
        const drawn = number === 0 ? "" : `<span class="note-mark" data-note="${number}"></span>`;
        const about = number === 0 ? "" : ` is-noted note-${number}`;
        // Where a line is too long for the page, what goes on below stays behind its beginning.
        const indent = indentOf(line.replaceAll(/<[^>]*>/g, ""));
        const style = indent === 0 ? "" : ` style="--indent:${indent}"`;
        return `<span class="code-line${about}"${style}>${drawn}${line}</span>`;
      });
    return `${open}${lines.join("\n")}${close}`;
  });
}

/** What a screen reader says before a note: it cannot see the number beside the line. */
export function aboutHtml({ text }: Note): string {
  return `<span class="visually-hidden">On <code v-pre>${escapeHtml(text)}</code>: </span>`;
}
