// Markdown: `<<< path#region` becomes the region's code under a line that says where it stands. What cannot be
// embedded stops the build.

import { join } from "node:path";
import type { MarkdownRenderer } from "vitepress";
import { excerptOf, fitComments } from "./code-excerpt.ts";
import { embeddedCode, parseEmbed } from "./code-regions.ts";

export function embedCode(root: string): (markdown: MarkdownRenderer) => void {
  return (markdown) => {
    // Before VitePress's own embedding, which shows the whole file where a region is missing.
    markdown.block.ruler.before("snippet", "stage_code", (state, startLine, _endLine, silent) => {
      const begin = (state.bMarks[startLine] ?? 0) + (state.tShift[startLine] ?? 0);
      const line = state.src.slice(begin, state.eMarks[startLine]);
      const embed = parseEmbed(line);
      if (embed === undefined) {
        if (line.startsWith("<<<")) throw new Error(`Write <<< path#region, not "${line}"`);
        return false;
      }
      if (silent) return true;
      const code = embeddedCode(root, embed);
      if (!code.ok) throw new Error(`${state.env.relativePath ?? "page"}: ${code.fault}`);
      state.env.includes?.push(join(root, embed.path));
      const extension = embed.path.slice(embed.path.lastIndexOf(".") + 1);
      const where = `<code>${embed.path}</code><span>line ${code.line}</span>`;
      state.push("html_block", "", 0).content =
        `<div class="stage-code"><p class="stage-code-file">${where}</p>`;
      const show = (text: string) => {
        const fence = state.push("fence", "code", 0);
        fence.info = extension;
        fence.content = `${text}\n`;
        fence.markup = "```";
        fence.map = [startLine, startLine + 1];
      };
      const whole = fitComments(code.text);
      const excerpt = excerptOf(whole);
      show(excerpt ?? whole);
      if (excerpt !== undefined) {
        const count = whole.split("\n").length;
        state.push("html_block", "", 0).content =
          `<details class="code-whole"><summary>Show all ${count} lines</summary>\n`;
        show(whole);
        state.push("html_block", "", 0).content = "</details>\n";
      }
      state.push("html_block", "", 0).content = "</div>\n";
      state.line = startLine + 1;
      return true;
    });
  };
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
