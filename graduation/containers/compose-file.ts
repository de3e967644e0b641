// Reads a Compose file as plain values: anchors, aliases and merge keys resolved, variables left as they stand. The parser is
// Prettier's; this turns its tree into values. Just enough YAML for a Compose file: every scalar is a string.

import { parsers } from "prettier/plugins/yaml";

export type Yaml = string | readonly Yaml[] | { readonly [key: string]: Yaml };

interface Node {
  readonly type: string;
  readonly value?: string;
  readonly anchor?: Node | null;
  readonly children?: readonly Node[];
}

/** @throws Error when `text` is not YAML, or says the same key twice in one place */
export async function readYaml(text: string): Promise<Yaml> {
  // Prettier's declaration leaves the tree open, and its parser asks for no option.
  const root = (await parsers.yaml.parse(text, {} as never)) as Node;
  const body = root.children?.[0]?.children?.find(({ type }) => type === "documentBody");
  return valueIn(body?.children?.[0], new Map());
}

function valueIn(node: Node | undefined, anchors: Map<string, Yaml>): Yaml {
  if (node === undefined) return "";
  const value = unnamed(node, anchors);
  const name = node.anchor?.value;
  if (name !== undefined) anchors.set(name, value);
  return value;
}

function unnamed(node: Node, anchors: Map<string, Yaml>): Yaml {
  switch (node.type) {
    case "mapping":
    case "flowMapping":
      return mappingOf(node, anchors);
    case "sequence":
    case "flowSequence":
      return (node.children ?? []).map((item) => valueIn(item.children?.[0], anchors));
    case "alias":
      return anchors.get(node.value ?? "") ?? unknown(`the alias *${node.value}`);
    case "null":
      return "";
    default:
      return node.value ?? unknown(node.type);
  }
}

function mappingOf(node: Node, anchors: Map<string, Yaml>): Yaml {
  const own = new Map<string, Yaml>();
  let merged: Yaml = {};
  for (const { children: [keyNode, valueNode] = [] } of node.children ?? []) {
    const key = keyNode?.children?.[0]?.value ?? "";
    const value = valueIn(valueNode?.children?.[0], anchors);
    if (own.has(key)) throw new Error(`the key "${key}" stands twice in one place`);
    if (key !== "<<") own.set(key, value);
    else if (typeof value === "object") merged = value as typeof merged;
  }
  // What stands here wins over what is merged in.
  return { ...(merged as object), ...Object.fromEntries(own) };
}

function unknown(what: string): never {
  throw new Error(`${what} is not understood`);
}
