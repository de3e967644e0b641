// What stands in a Markdown text, as markdown-it reads it: VitePress reads the pages with the same parser.

import MarkdownIt from "markdown-it";

const parser = new MarkdownIt();

export interface Fence {
  /** What stands behind the opening mark: `sh run`. */
  readonly info: string;
  /** Lines of the opening mark and of the closing one, from 1. */
  readonly line: number;
  readonly lastLine: number;
  readonly text: string;
  /** Nothing but blank lines stands between the fence before and this one. */
  readonly followsFence: boolean;
}

/** Every fenced block, in order, those in lists included. */
export function fencesOf(markdown: string): Fence[] {
  return parser.parse(markdown, {}).flatMap(({ type, map, info, content }, at, tokens) => {
    if (type !== "fence" || map === null) return [];
    const followsFence = tokens[at - 1]?.type === "fence";
    const text = content.replace(/\n$/, "");
    return [{ info: info.trim(), line: map[0] + 1, lastLine: map[1], text, followsFence }];
  });
}

/** The tables, row by row, the head first. A cell is Markdown. */
export function tablesOf(markdown: string): string[][][] {
  const tables: string[][][] = [];
  let previous = "";
  for (const { type, content } of parser.parse(markdown, {})) {
    if (type === "table_open") tables.push([]);
    if (type === "tr_open") tables.at(-1)?.push([]);
    if (previous === "th_open" || previous === "td_open") tables.at(-1)?.at(-1)?.push(content);
    previous = type;
  }
  return tables;
}

/** Code spans, emphasis and links in a line of Markdown, as HTML for a page. */
export function inlineHtml(text: string): string {
  return withoutTemplates(parser.renderInline(text));
}

/** Text as HTML, for what is put into a page past the Markdown. */
export function escapeHtml(text: string): string {
  return withoutTemplates(parser.utils.escapeHtml(text));
}

/** What Vue would take for an expression. */
function withoutTemplates(html: string): string {
  return html.replaceAll("{{", "&#123;&#123;");
}

/** A table whose columns stand under each other, as Prettier leaves it; the first row is the head. */
export function alignedTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(3, ...rows.map((row) => (row[at] ?? "").length)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" | ")} |`;
  const [head = [], ...body] = rows;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...body.map(line)].join("\n");
}
