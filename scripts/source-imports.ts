// Finds every import of a TypeScript file by parsing it: static, dynamic, re-exported and type-only ones, `require`,
// and `import("…")` in a type. A pattern on the text would find imports in comments and miss those over two lines.

import { parseAst } from "vitest/node";

export interface SourceFacts {
  readonly imports: readonly { readonly specifier: string; readonly line: number }[];
  /** Globals of Node that the file uses, such as `process` and `Buffer`. */
  readonly nodeGlobals: readonly { readonly name: string; readonly line: number }[];
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly [field: string]: unknown;
}

const nodeGlobalNames: ReadonlySet<string> = new Set([
  "process",
  "Buffer",
  "global",
  "require",
  "module",
  "__dirname",
  "__filename",
  "setImmediate",
  "clearImmediate",
]);

/** @throws SyntaxError when `source` is not TypeScript */
export function readSource(source: string): SourceFacts {
  const imports: { specifier: string; line: number }[] = [];
  const nodeGlobals: { name: string; line: number }[] = [];
  const lineOf = (node: Node) => source.slice(0, node.start).split("\n").length;
  visit(parseAst(source, { lang: "ts" }) as unknown as Node, undefined, "", (node, parent, field) => {
    const specifier = specifierOf(node);
    if (specifier !== undefined) imports.push({ specifier, line: lineOf(node) });
    if (isGlobalUse(node, parent, field))
      nodeGlobals.push({ name: String(node["name"]), line: lineOf(node) });
  });
  return { imports, nodeGlobals };
}

function specifierOf(node: Node): string | undefined {
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportAllDeclaration":
    case "ExportNamedDeclaration":
    case "ImportExpression":
    case "TSImportType":
      return node["source"] == null ? undefined : literalOf(node["source"]);
    case "TSExternalModuleReference":
      return literalOf(node["expression"]);
    case "CallExpression":
      return isNode(node["callee"]) && node["callee"]["name"] === "require"
        ? literalOf((node["arguments"] as unknown[])[0])
        : undefined;
    default:
      return undefined;
  }
}

/** A specifier that is not a literal cannot be checked, so it is given back as a name that no rule allows. */
function literalOf(value: unknown): string {
  return isNode(value) && typeof value["value"] === "string" ? value["value"] : "<computed>";
}

function isGlobalUse(node: Node, parent: Node | undefined, field: string): boolean {
  if (node.type !== "Identifier" || !nodeGlobalNames.has(String(node["name"]))) return false;
  const isName = field === "key" || (field === "property" && parent?.["computed"] !== true);
  return !isName;
}

function visit(
  node: Node,
  parent: Node | undefined,
  field: string,
  onNode: (node: Node, parent: Node | undefined, field: string) => void,
): void {
  onNode(node, parent, field);
  for (const [name, value] of Object.entries(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isNode(child)) visit(child, node, name, onNode);
    }
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}
