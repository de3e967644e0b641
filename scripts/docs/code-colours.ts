// Highlighted code says the colours of both themes at every word. There are few of them: an element or a class for each
// makes a page half as large. site/.vitepress/theme/code.css has the colours; one that it does not know stays where it was.

import { readFileSync } from "node:fs";

/** Class by what the highlighter writes, such as `--shiki-light:#A0111F;--shiki-dark:#FF9492`. */
function readColours(): ReadonlyMap<string, string> {
  const css = readFileSync(new URL("../../site/.vitepress/theme/code.css", import.meta.url), "utf8");
  const rules = css.matchAll(/\.(k\d+) \{\s*([^}]*?)\s*\}/g);
  return new Map([...rules].map(([, name = "", body = ""]) => [normalised(body), name]));
}

const colours = readColours();
/** The colour of ordinary text: it need not be said at all. */
const plain = "k0";
/** The most frequent colours need no class: the shortest elements that say nothing to a screen reader stand for them. */
const elements: Readonly<Record<string, string>> = { k1: "i", k3: "b", k2: "u" };

interface Element {
  readonly type: string;
  tagName?: string;
  value?: string;
  properties?: Record<string, unknown>;
  children?: Element[];
}

export const colourByClass = {
  name: "colour-by-class",
  span(node: Element): void {
    node.properties ??= {};
    const style = node.properties["style"];
    const text = typeof style === "string" ? style : styleText(style);
    const name = colours.get(normalised(text));
    if (name === undefined) return;
    delete node.properties["style"];
    if (name === plain) return;
    node.tagName = elements[name] ?? "i";
    if (elements[name] === undefined) node.properties["class"] = name;
  },
  /** Ordinary text needs no element around it either, and lines none that nobody highlights. */
  code(node: Element): void {
    const unwrapped = (child: Element): Element[] =>
      child.tagName === "span" && Object.keys(child.properties ?? {}).length === 0
        ? (child.children ?? [])
        : [child];
    const pieces = (node.children ?? []).flatMap((line) =>
      line.type === "element" ? (line.children ?? []).flatMap(unwrapped) : [line],
    );
    node.children = pieces.reduce<Element[]>(joined, []);
  },
};

/** Words of one colour in a row become one piece. */
function joined(pieces: Element[], next: Element): Element[] {
  const last = pieces.at(-1);
  const isSame =
    last !== undefined &&
    last.type === next.type &&
    last.tagName === next.tagName &&
    JSON.stringify(last.properties) === JSON.stringify(next.properties);
  if (!isSame) {
    pieces.push(next);
    return pieces;
  }
  if (next.type === "text") last.value = `${last.value ?? ""}${next.value ?? ""}`;
  else last.children = [...(last.children ?? []), ...(next.children ?? [])];
  return pieces;
}

/** The highlighter keeps declarations as an object. */
function styleText(style: unknown): string {
  if (typeof style !== "object" || style === null) return "";
  return Object.entries(style)
    .map(([name, value]) => `${name}:${value}`)
    .join(";");
}

function normalised(style: string): string {
  return style
    .split(";")
    .map((declaration) => declaration.replaceAll(/\s+/g, "").toLowerCase())
    .filter((declaration) => declaration !== "")
    .join(";");
}
