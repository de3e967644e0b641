// Markdown: `<StageDiff from="m1" to="m2" />` is filled with the diff of the two stages as they stand in the tree: the
// reason for each changed file, its lines, and the change itself. Without JavaScript all of it is there, folded.

import { join } from "node:path";
import type { MarkdownRenderer } from "vitepress";
import { escapeHtml, inlineHtml } from "../markdown.ts";
import { diffStages, type FileDiff } from "../stage-diff.ts";
import { filesUnder, milestones, presentStages } from "../stages.ts";

const tag = /^<StageDiff from="(m\d)" to="(m\d)" \/>\s*$/;

export function renderStageDiffs(root: string): (markdown: MarkdownRenderer) => void {
  return (markdown) => {
    markdown.block.ruler.before("html_block", "stage_diff", (state, startLine, _endLine, silent) => {
      const begin = state.bMarks[startLine] ?? 0;
      const [, from, to] = tag.exec(state.src.slice(begin, state.eMarks[startLine])) ?? [];
      if (from === undefined || to === undefined) return false;
      if (silent) return true;
      for (const stage of [from, to])
        for (const file of filesUnder(join(root, "stages", stage)))
          state.env.includes?.push(join(root, "stages", stage, file));
      state.push("html_block", "", 0).content = stageDiffHtml(from, to, root);
      state.line = startLine + 1;
      return true;
    });
  };
}

/** @throws Error for a stage that does not exist */
export function stageDiffHtml(fromName: string, toName: string, root: string): string {
  const from = milestones.find((stage) => stage === fromName);
  const to = milestones.find((stage) => stage === toName);
  if (from === undefined || to === undefined) throw new Error(`no such stages: ${fromName}, ${toName}`);
  if (!presentStages(root).includes(to))
    return `<p class="diff-same">${to} is not complete in this tree yet; its diff stands here as soon as it is.</p>\n`;
  const diff = diffStages(from, to, root);
  const changed = diff.files.filter(({ status }) => status !== "same");
  const same = diff.files
    .filter(({ status }) => status === "same")
    .map(({ path }) => `<code>${escapeHtml(path)}</code>`);
  // Plain HTML beside the component and not inside it: Vue then ships it as one static piece.
  return [
    `<div class="stage-diff"><StageDiff from="${from}" to="${to}" :files="${changed.length}" :added="${diff.added}" :removed="${diff.removed}" />`,
    '<div class="stage-diff-files" v-pre>',
    changed.length > mostInOneList ? groupsHtml(changed) : changed.map(fileHtml).join(""),
    same.length === 0 ? "" : `<p class="diff-same"><strong>The same:</strong> ${same.join(", ")}</p>`,
    "</div></div>\n",
  ].join("");
}

/** More files than this are folded into groups. */
const mostInOneList = 12;

/** Files by what became of them, and new ones by their folder as well: a part of a stage is a folder. */
function groupsHtml(files: readonly FileDiff[]): string {
  const groups = new Map<string, FileDiff[]>();
  for (const file of files) {
    const folder = /^src\/(.+)\/[^/]+$/.exec(file.path)?.[1];
    const name = file.status === "new" && folder !== undefined ? `new, in ${folder}/` : file.status;
    groups.set(name, [...(groups.get(name) ?? []), file]);
  }
  return [...groups]
    .map(([name, mine]) => {
      const count = `${mine.length} ${mine.length === 1 ? "file" : "files"}`;
      const summary = `<summary><strong>${escapeHtml(name)}</strong> <span class="diff-counts">${count}</span></summary>`;
      return `<details class="diff-group">${summary}${mine.map(fileHtml).join("")}</details>`;
    })
    .join("");
}

function fileHtml(file: FileDiff): string {
  const why = file.reasons.map((reason) => inlineHtml(reason.why)).join(" ");
  const counts = `<span class="diff-plus">+${file.added}</span> <span class="diff-minus">−${file.removed}</span>`;
  return [
    `<details class="diff-file" data-status="${file.status}"><summary>`,
    `<span class="diff-status diff-${file.status}">${file.status}</span> <code>${escapeHtml(file.path)}</code> <span class="diff-counts">${counts}</span>`,
    why === "" ? "" : `<span class="diff-why">${why}</span>`,
    `</summary>`,
    `<pre class="diff-lines" tabindex="0">${file.status === "changed" ? patchHtml(file.patch) : openingHtml(file.patch)}</pre></details>`,
  ].join("");
}

/**
 * What a new or removed file says of itself: its opening comment, or its first lines where it has none. Its code stands on the page
 * by region; here it would stand twice.
 */
function openingHtml(patch: string): string {
  const lines = patch
    .split("\n")
    .filter((line) => /^[+-](?![+-]{2} )/.test(line))
    .map((line) => line.slice(1));
  const comment = lines.findIndex((line) => !line.startsWith("//"));
  const shown = comment > 0 ? lines.slice(0, comment) : lines.slice(0, 12);
  const rest = lines.length - shown.length;
  return escapeHtml([...shown, ...(rest > 0 ? ["", `… and ${rest} lines more`] : [])].join("\n"));
}

/** A longer change is a rewrite, which nobody reads as a diff. */
const maxPatchLines = 90;

function patchHtml(patch: string): string {
  const lines = patch
    .trimEnd()
    .split("\n")
    .filter((line) => !/^(?:---|\+\+\+) /.test(line) && !line.startsWith("\\"));
  const rest = lines.length - maxPatchLines;
  const shown = rest > 20 ? lines.slice(0, maxPatchLines) : lines;
  return [
    ...shown.map((line) => {
      if (line.startsWith("@@")) return `<span class="diff-hunk">${escapeHtml(line)}</span>`;
      if (line.startsWith("+")) return `<ins>${escapeHtml(line)}</ins>`;
      if (line.startsWith("-")) return `<del>${escapeHtml(line)}</del>`;
      return escapeHtml(line);
    }),
    ...(rest > 20 ? [`<span class="diff-hunk">… and ${rest} lines more: npm run diff shows all</span>`] : []),
  ].join("\n");
}
