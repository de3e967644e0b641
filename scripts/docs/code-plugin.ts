// Markdown: `<<< path#region` becomes the region's code under a line that says where it stands. What cannot be
// embedded stops the build.

import { join } from "node:path";
import type { MarkdownRenderer } from "vitepress";
import { inlineHtml } from "../markdown.ts";
import { excerptOf, fitComments } from "./code-excerpt.ts";
import { aboutHtml, markLines, notedCode, notedColumns, readNotes } from "./code-notes.ts";
import { type Embed, embeddedCode, parseEmbed } from "./code-regions.ts";

/** A block rule's state, as the Markdown parser hands it over. */
type BlockState = Parameters<Parameters<MarkdownRenderer["block"]["ruler"]["push"]>[1]>[0];

export function embedCode(root: string): (markdown: MarkdownRenderer) => void {
  return (markdown) => {
    // Before VitePress's own embedding, which shows the whole file where a region is missing.
    markdown.block.ruler.before("snippet", "stage_code", (state, startLine, endLine, silent) => {
      const textOf = (at: number) =>
        state.src.slice((state.bMarks[at] ?? 0) + (state.tShift[at] ?? 0), state.eMarks[at]);
      const line = textOf(startLine);
      const embed = parseEmbed(line);
      if (embed === undefined) {
        if (line.startsWith("<<<")) throw new Error(`Write <<< path#region, not "${line}"`);
        return false;
      }
      if (silent) return true;
      const code = embeddedCode(root, embed);
      const page = state.env.relativePath ?? "page";
      if (!code.ok) throw new Error(`${page}: ${code.fault}`);
      state.env.includes?.push(join(root, embed.path));
      const below = Array.from({ length: endLine - startLine - 1 }, (_, index) => {
        const at = startLine + 1 + index;
        return state.src.slice(state.bMarks[at] ?? 0, state.eMarks[at]);
      });
      try {
        state.line = startLine + 1 + pushCode(state, startLine, embed, code, below);
      } catch (error) {
        throw new Error(`${page}: ${line}: ${error instanceof Error ? error.message : error}`);
      }
      return true;
    });
    const fence = markdown.renderer.rules.fence;
    markdown.renderer.rules.fence = (...args) => {
      const html = fence?.(...args) ?? "";
      const marks = args[0][args[1]]?.meta?.marks;
      return marks === undefined ? html : markLines(html, marks);
    };
  };
}

/** Returns how many of the lines below the embed belong to it. */
function pushCode(
  state: BlockState,
  startLine: number,
  { path, caption }: Omit<Embed, "line">,
  code: { readonly text: string; readonly line: number },
  below: readonly string[],
): number {
  const html = (content: string) => {
    state.push("html_block", "", 0).content = content;
  };
  const show = (text: string, marks?: readonly number[]) => {
    const fence = state.push("fence", "code", 0);
    fence.info = path.slice(path.lastIndexOf(".") + 1);
    fence.content = `${text}\n`;
    fence.markup = "```";
    fence.map = [startLine, startLine + 1];
    if (marks !== undefined) fence.meta = { marks };
  };
  const whole = fitComments(code.text);
  const count = whole.split("\n").length;
  const where = `<code>${path}</code><span>line ${code.line}</span>`;
  if (caption !== undefined) {
    html(
      `<details class="stage-code code-folded"><summary>${inlineHtml(caption)} <code>${path.replace(/^.*\/src\//, "")}</code> <span>${count} ${count === 1 ? "line" : "lines"}</span></summary>\n<p class="stage-code-file">${where}</p>\n`,
    );
    show(whole);
    html("</details>\n");
    return 0;
  }
  const notes = readNotes(below);
  const isNoted = notes.lineCount > 0;
  html(
    `<div class="stage-code${isNoted ? " is-noted" : ""}"><p class="stage-code-file">${where}</p>${isNoted ? '<div class="code-beside">' : ""}\n`,
  );
  const noted = isNoted ? notedCode(fitComments(code.text, notedColumns), notes) : undefined;
  const excerpt = isNoted ? (noted?.isWhole === true ? undefined : noted?.text) : excerptOf(whole);
  show(noted?.text ?? excerpt ?? whole, noted?.marks);
  if (isNoted) {
    html('<ol class="code-notes">\n');
    for (const [index, note] of notes.notes.entries()) {
      html(`<li class="note-${index + 1}">${aboutHtml(note)}`);
      const inline = state.push("inline", "", 0);
      inline.content = note.words;
      inline.children = [];
      inline.map = [startLine, startLine + 1];
      html("</li>\n");
    }
    html("</ol></div>\n");
  }
  if (excerpt !== undefined) {
    html(`<details class="code-whole"><summary>Show all ${count} lines</summary>\n`);
    show(whole);
    html("</details>\n");
  }
  html("</div>\n");
  return notes.lineCount;
}

/** Marks the blocks that `npm run verify` executes, so that a reader can tell a checked output from a sketch. */
export function markCheckedCommands(markdown: MarkdownRenderer): void {
  const fence = markdown.renderer.rules.fence;
  markdown.renderer.rules.fence = (...args) => {
    const [tokens, index] = args;
    const words = tokens[index]?.info.split(/\s+/) ?? [];
    const token = tokens[index];
    if (token === undefined || words[0] !== "sh" || !words.includes("run")) return fence?.(...args) ?? "";
    // VitePress would take what stands after the language for lines to highlight.
    token.info = "sh";
    const html = fence?.(...args) ?? "";
    const stage = words.find((word) => word.startsWith("with="))?.slice("with=".length);
    const note = stage === undefined ? "" : ` while <code>npm run stage ${stage}</code> is up`;
    return `<div class="checked-command">${html}<p class="checked-command-note">Executed by <code>npm run verify</code>${note}</p></div>`;
  };
}

/** Keeps `--demo` on one line: on a phone, a browser would break it behind its first hyphen. */
export function keepFlagsWhole(markdown: MarkdownRenderer): void {
  const inline = markdown.renderer.rules["code_inline"];
  markdown.renderer.rules["code_inline"] = (...args) =>
    (inline?.(...args) ?? "").replace(/(?<=[ >])-[\w-]+(?=[ <])/g, '<span class="flag">$&</span>');
}
