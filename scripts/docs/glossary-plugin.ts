// Markdown: the first use of a glossary's word on each page leads to its entry, with the definition as a tooltip. The words
// and their other forms stand in the glossary alone; code, headings and links are left as they are.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { MarkdownRenderer } from "vitepress";

export interface Entry {
  /** Anchor on the glossary's page. */
  readonly id: string;
  /** How it may be written on a page, in lower case. */
  readonly forms: readonly string[];
  /** First paragraph, as plain text. */
  readonly definition: string;
}

type CoreState = Parameters<Parameters<MarkdownRenderer["core"]["ruler"]["push"]>[1]>[0];
type Token = CoreState["tokens"][number];

const page = "glossary.md";

/**
 * Entries look like `## retry budget {#retry-budget}`. Each word of the heading is a form, and so is its plural; a line
 * `<!-- forms: breaker, breakers -->` below it has others, which take the place of these.
 *
 * @throws Error for an entry without an anchor or a definition
 */
export function readGlossary(markdown: string): Entry[] {
  const [, ...parts] = markdown.split(/^## /m);
  return parts.map((part): Entry => {
    const [heading = "", ...rest] = part.split("\n");
    const [, words = "", id = ""] = /^(.+?) \{#([\w-]+)\}$/.exec(heading) ?? [];
    const body = rest.join("\n").trim();
    const [comment = "", own] = /^<!-- forms: (.+?) -->\s*/.exec(body) ?? [];
    const definition = plainText(body.slice(comment.length).split(/\n\s*\n/)[0] ?? "");
    if (id === "" || definition === "") throw new Error(`${page}: "${heading}" has no anchor or no text`);
    const forms = own?.split(", ") ?? words.split(", ").flatMap((word) => [word, `${word}s`]);
    return { id, forms: forms.map((form) => form.toLowerCase()), definition };
  });
}

function plainText(markdown: string): string {
  return markdown
    .replace(/\s*→.*$/s, "")
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/[`*_]/g, "")
    .replace(/\s+/g, " ")
    .trim();
}

export function linkGlossary(root: string): (markdown: MarkdownRenderer) => void {
  return (markdown) => {
    // Vue takes away a line's end between two elements, and a word that is linked has become one.
    markdown.renderer.rules["softbreak"] = () => " ";
    markdown.core.ruler.push("glossary", (state) => {
      const { relativePath = page, frontmatter = {} } = state.env as PageEnv;
      if (relativePath === page || frontmatter.layout === "home") return;
      const left = new Map(formsOf(root));
      for (const id of frontmatter.unlinked ?? []) forget(left, id);
      for (const [index, token] of state.tokens.entries()) {
        const block = state.tokens[index - 1]?.type ?? "";
        if (token.type === "inline" && block !== "heading_open" && block !== "th_open")
          token.children = linkWords(token.children ?? [], left, state);
      }
    });
  };
}

interface PageEnv {
  readonly relativePath?: string;
  readonly frontmatter?: { readonly layout?: string; readonly unlinked?: readonly string[] };
}

/** By form, the longest first: "circuit breaker" before "breaker". */
function formsOf(root: string): [string, Entry][] {
  return readGlossary(readFileSync(join(root, "site", page), "utf8"))
    .flatMap((entry) => entry.forms.map((form): [string, Entry] => [form, entry]))
    .sort(([a], [b]) => b.length - a.length);
}

/** A page links a word once. */
function forget(left: Map<string, Entry>, id: string): void {
  for (const [form, entry] of left) if (entry.id === id) left.delete(form);
}

/** @param left Forms that the page has not used yet; those of a word that is found are taken out. */
function linkWords(tokens: readonly Token[], left: Map<string, Entry>, state: CoreState): Token[] {
  let depth = 0;
  return tokens.flatMap((token) => {
    if (token.type === "link_open" || /^<a[\s>]/i.test(htmlOf(token))) depth += 1;
    if (token.type === "link_close" || /^<\/a>/i.test(htmlOf(token))) depth -= 1;
    return token.type === "text" && depth === 0 ? splitText(token, left, state) : [token];
  });
}

const htmlOf = ({ type, content }: Token): string => (type === "html_inline" ? content : "");

function splitText(token: Token, left: Map<string, Entry>, state: CoreState): Token[] {
  const found = firstForm(token.content, left);
  if (found === undefined) return [token];
  const { at, form, entry } = found;
  forget(left, entry.id);
  const open = new state.Token("link_open", "a", 1);
  open.attrs = [
    ["href", `/glossary#${entry.id}`],
    ["title", entry.definition],
    ["class", "term"],
  ];
  const textOf = (content: string) => Object.assign(new state.Token("text", "", 0), { content });
  const [before, word] = [token.content.slice(0, at), token.content.slice(at, at + form.length)];
  const after = splitText(textOf(token.content.slice(at + form.length)), left, state);
  return [textOf(before), open, textOf(word), new state.Token("link_close", "a", -1), ...after];
}

/** The form that stands first in a text; of two at one place, the longer one. */
function firstForm(text: string, left: ReadonlyMap<string, Entry>) {
  if (left.size === 0) return undefined;
  const forms = [...left.keys()].map((form) =>
    form.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replaceAll(" ", "\\s+"),
  );
  const match = new RegExp(`(?<![\\w/.-])(?:${forms.join("|")})(?![\\w-])`, "i").exec(text);
  const entry = match && left.get(match[0].toLowerCase().replace(/\s+/g, " "));
  return match && entry ? { at: match.index, form: match[0], entry } : undefined;
}
