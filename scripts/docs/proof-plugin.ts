// Markdown: `[title](test:shared/contract/m1/endings.ts)` points to the test that proves a claim, and `<Proofs />` shows
// the tests that a page has pointed to. A test that does not exist stops the build: the claim would be without proof.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { MarkdownRenderer } from "vitepress";

export interface Proof {
  /** File of the test, relative to the project. */
  readonly path: string;
  /** The test's title, or the beginning of it. */
  readonly title: string;
}

const scheme = "test:";
const placeholder = "<Proofs />";

/** Every test that a page points to. */
export function readProofs(markdown: string): Proof[] {
  return [...markdown.matchAll(/\[([^\]]+)\]\(test:([^)\s]+)\)/g)].map(([, title = "", path = ""]) => ({
    path,
    title: title.replaceAll("`", ""),
  }));
}

/** The test's source, from its title to its end. */
export function proofSource(
  root: string,
  { path, title }: Proof,
):
  | { readonly ok: true; readonly text: string; readonly line: number }
  | { readonly ok: false; readonly fault: string } {
  const file = join(root, path);
  if (!existsSync(file)) return { ok: false, fault: `there is no test file "${path}"` };
  const lines = readFileSync(file, "utf8").split("\n");
  const plain = (text: string) => text.replaceAll(/[`"'\\]/g, "");
  const start = lines.findIndex((line) => plain(line).includes(plain(title)));
  if (start < 0) return { ok: false, fault: `"${path}" has no test "${title}"` };
  return { ok: true, text: untilItsEnd(lines.slice(start)), line: start + 1 };
}

/** To the first line that stands no further in than the first one and closes something; a table's row is one line. */
function untilItsEnd(lines: readonly string[]): string {
  const [first = "", ...rest] = lines;
  const indent = first.length - first.trimStart().length;
  if (!/[{([]\s*$/.test(first)) return first.trim();
  const end = rest.findIndex((line) => line.trim() !== "" && line.length - line.trimStart().length <= indent);
  return [first, ...rest.slice(0, end + 1)].map((line) => line.slice(indent)).join("\n");
}

export function linkProofs(root: string): (markdown: MarkdownRenderer) => void {
  return (markdown) => {
    markdown.block.ruler.before("html_block", "proofs_place", (state, startLine, _endLine, silent) => {
      const line = state.src.slice(state.bMarks[startLine] ?? 0, state.eMarks[startLine]);
      if (line.trim() !== placeholder) return false;
      if (silent) return true;
      state.push("html_block", "", 0).content = placeholder;
      state.line = startLine + 1;
      return true;
    });
    markdown.core.ruler.push("proofs", (state) => {
      const proofs = new Map<string, Proof>();
      for (const { children } of state.tokens) {
        for (const [index, token] of (children ?? []).entries()) {
          const href = token.attrGet("href");
          if (href?.startsWith(scheme) !== true) continue;
          const title = (children ?? [])
            .slice(index + 1)
            .find(({ type }) => type === "text" || type === "code_inline");
          const proof = { path: href.slice(scheme.length), title: title?.content ?? "" };
          const id = idOf(proof);
          proofs.set(id, proof);
          token.attrSet("href", `#${id}`);
          // The browser itself unfolds what an address points into; VitePress's own scrolling would not.
          token.attrJoin("class", "proof-link");
          token.attrSet("target", "_self");
        }
      }
      const place = state.tokens.find(
        ({ type, content }) => type === "html_block" && content === placeholder,
      );
      if (proofs.size > 0 && place === undefined)
        throw new Error(`${state.env.relativePath}: points to tests and has no <Proofs />`);
      if (place !== undefined)
        place.content = [...proofs].map(([id, proof]) => proofHtml(id, proof)).join("");
    });
    const validate = markdown.validateLink;
    markdown.validateLink = (url) => url.startsWith(scheme) || validate(url);

    function proofHtml(id: string, proof: Proof): string {
      const source = proofSource(root, proof);
      if (!source.ok) throw new Error(source.fault);
      return [
        `<details class="proof"><summary>${escapeHtml(proof.title)} <code>${proof.path}:${source.line}</code></summary>`,
        `<pre id="${id}" class="diff-lines" tabindex="0" v-pre>${escapeHtml(source.text)}</pre></details>\n`,
      ].join("");
    }
  };
}

function idOf({ path, title }: Proof): string {
  const words = `${path.replace(/^.*\//, "").replace(/\.ts$/, "")} ${title}`;
  return `test-${words
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 80)
    .replace(/-$/, "")}`;
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
