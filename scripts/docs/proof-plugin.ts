// Markdown: `[title](test:shared/contract/m1)` points to the test that proves a claim, and `<Proofs />` shows
// the tests that a page has pointed to. Where a test's title is a pattern, the link has words of its own:
// `[words](test:shared/contract/m1 "refuses %s")`. A test that does not exist stops the build: the claim would be
// without proof.

import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { MarkdownRenderer } from "vitepress";
import { escapeHtml } from "../markdown.ts";
import { filesUnder } from "../stages.ts";

export interface Proof {
  /** File of the test, or a folder above it, relative to the project. */
  readonly path: string;
  /** The test's title, or the beginning of it. */
  readonly title: string;
}

const scheme = "test:";
const placeholder = "<Proofs />";

export type ProofSource =
  | { readonly ok: true; readonly path: string; readonly text: string; readonly line: number }
  | { readonly ok: false; readonly fault: string };

/** The test's source, from its first line to its last. A path may be a folder: tests move from file to file. */
export function proofSource(root: string, { path, title }: Proof): ProofSource {
  const place = join(root, path);
  if (!existsSync(place)) return { ok: false, fault: `there is no test file or folder "${path}"` };
  const files = statSync(place).isDirectory()
    ? filesUnder(place)
        .filter((file) => file.endsWith(".ts"))
        .map((file) => `${path.replace(/\/$/, "")}/${file}`)
    : [path];
  for (const file of files) {
    const lines = readFileSync(join(root, file), "utf8").split("\n");
    const named = lines.findIndex((line) => plain(line).includes(plain(title)));
    if (named < 0) continue;
    const start = startOfTest(lines, named);
    return { ok: true, path: file, text: testFrom(lines, start), line: start + 1 };
  }
  return { ok: false, fault: `"${path}" has no test "${title}"` };
}

function plain(text: string): string {
  return text.replaceAll(/[`"'\\]/g, "");
}

/** A title may stand on a line of its own, or behind the table of a `test.each`. */
function startOfTest(lines: readonly string[], named: number): number {
  for (let index = named; index >= Math.max(0, named - 40); index--) {
    if (/^\s*test\b/.test(lines[index] ?? "")) return index;
  }
  return named;
}

function testFrom(lines: readonly string[], start: number): string {
  const first = lines[start] ?? "";
  const indent = first.length - first.trimStart().length;
  const isEnd = (line: string) =>
    line.slice(0, indent).trim() === "" && /^(?:\}\s*)?\);?$/.test(line.slice(indent));
  const length = lines.slice(start).findIndex(isEnd);
  const until = length < 0 ? start + 1 : start + length + 1;
  return lines
    .slice(start, until)
    .map((line) => line.slice(indent))
    .join("\n");
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
      const proofs = new Map<string, Proof & { readonly words: string }>();
      for (const { children } of state.tokens) {
        for (const [index, token] of (children ?? []).entries()) {
          const href = token.attrGet("href");
          if (href?.startsWith(scheme) !== true) continue;
          const words =
            (children ?? []).slice(index + 1).find(({ type }) => type === "text" || type === "code_inline")
              ?.content ?? "";
          const proof = { path: href.slice(scheme.length), title: token.attrGet("title") ?? words, words };
          token.attrs = token.attrs?.filter(([name]) => name !== "title") ?? null;
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

    function proofHtml(id: string, proof: Proof & { readonly words: string }): string {
      const source = proofSource(root, proof);
      if (!source.ok) throw new Error(source.fault);
      return [
        `<details class="proof"><summary>${escapeHtml(proof.words)} <code>${source.path}:${source.line}</code></summary>`,
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
