// The site: its pages, its navigation, and how Markdown becomes HTML. What is built is plain files that ask no other
// machine for anything.

import { fileURLToPath } from "node:url";
import { defineConfig, type MarkdownEnv, type MarkdownRenderer } from "vitepress";
import { embedCode, keepFlagsWhole, markCheckedCommands } from "../../scripts/docs/code-plugin.ts";
import { renderStageDiffs } from "../../scripts/docs/diff-plugin.ts";
import { exercisePlugin } from "../../scripts/docs/exercise-plugin.ts";
import { linkGlossary } from "../../scripts/docs/glossary-plugin.ts";
import { pageHead } from "../../scripts/docs/page-head.ts";
import { linkProofs } from "../../scripts/docs/proof-plugin.ts";
import { workspaceApi } from "../../scripts/docs/workspace-api.ts";
import { codeTheme } from "./code-theme.ts";
import { nav, sidebar } from "./navigation.ts";

const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/[\\/]$/, "");

/** Of the exercises' pages. While the site is written, one that is found late would load the page anew. */
const pagePackages = [
  "@codemirror/commands",
  "@codemirror/lang-javascript",
  "@codemirror/language",
  "@codemirror/state",
  "@codemirror/view",
  "@lezer/highlight",
  "buffer/",
  "events/",
  "fast-equals",
  "node-inspect-extracted",
  "sucrase",
  "zod",
];
/** Where the site does not stand at the top of its host, as on a project page: /name/ */
const base = process.env["DOCS_BASE"] ?? "/";
/** Where it is published, without the path. Unknown on a reader's own machine. */
const origin = process.env["DOCS_ORIGIN"];
/** Address of the repository, where it is published. */
const source = process.env["DOCS_SOURCE"];

/** What the search reads: the words of a page. Code would be most of the index, and is found in the stages. */
function renderForSearch(source: string, env: MarkdownEnv, markdown: MarkdownRenderer): string {
  const words = source
    // The notes beside code stay: below their embed they are a list.
    .replace(/^<<< .*\n(?:= .*\n)*/gm, "")
    .replace(/^<StageDiff .*$/gm, "")
    .replace(/\]\(test:[^)]*\)/g, "]")
    .replace(/^<Proofs \/>$/gm, "");
  const html = markdown.render(words, env);
  return env.frontmatter?.["search"] === false ? "" : html;
}

export default defineConfig({
  lang: "en-GB",
  title: "Cell Routing from Scratch",
  description: "Build the reverse proxy in front of a cell-based architecture, in five milestones.",
  base,
  cleanUrls: true,
  metaChunk: true,
  head: [["link", { rel: "icon", href: `${base}cells.svg`, type: "image/svg+xml" }]],
  transformHead: (context) => pageHead(context, origin, base),
  markdown: {
    theme: codeTheme,
    config(markdown) {
      markdown
        .use(embedCode(root))
        .use(renderStageDiffs(root))
        .use(linkProofs(root))
        .use(linkGlossary(root))
        .use(markCheckedCommands)
        .use(keepFlagsWhole);
    },
  },
  themeConfig: {
    nav,
    sidebar,
    siteTitle: "Cell Routing",
    logo: { src: "/cells.svg", alt: "" },
    outline: { level: [2, 3], label: "On this page" },
    search: { provider: "local", options: { detailedView: true, _render: renderForSearch } },
    externalLinkIcon: true,
    footer: {
      message:
        "The idea and the list of milestones come from Gabriel Quiroz's “Cell Routing from Scratch”, which is in Go.",
      copyright: `MIT licence. ${source ? `<a href="${source}">Source code</a>` : "The source is the repository that this site was built from"}.`,
    },
    docFooter: { prev: "Before this", next: "After this" },
  },
  vite: {
    plugins: [exercisePlugin(root), workspaceApi(root)],
    // The learner's code runs there. Its packages are loaded when they are needed, which takes modules.
    worker: { format: "es", plugins: () => [exercisePlugin(root)] },
    optimizeDeps: { include: pagePackages },
    // The simulations run the stages' own modules, which stand beside this folder.
    server: { fs: { allow: [root] } },
    // The tools of this folder are older than the language that the project's tsconfig.json names.
    esbuild: { tsconfigRaw: { compilerOptions: { target: "es2022" } } },
    build: { chunkSizeWarningLimit: 1_000 },
  },
});
