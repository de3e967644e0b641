// Rewrites the relative imports of a file that is copied to another folder, so that one text works in
// `starter/`, in the learner's workspace, in an assembly of a test run and laid over a stage.
// It never adds or removes a line: line numbers in errors stay those of the file that was copied.

import { dirname, relative, resolve, sep } from "node:path";

/** `from "./x"`, `import "./x"` and `import("./x")`, with the quote and the relative specifier captured. */
const specifierPattern = /(\bfrom\s*|\bimport\s*\(\s*|\bimport\s+)(["'])(\.{1,2}\/[^"'\n]+)\2/g;

/**
 * Where an import must point once its file has moved.
 * Receives the absolute path that the import names now; returns the absolute path to name instead.
 */
export type ImportTarget = (absolutePath: string) => string;

/** Returns `source`, moved from `fromFile` to `toFile` (absolute paths), with its relative imports adjusted. */
export function relocateImports(
  source: string,
  fromFile: string,
  toFile: string,
  target: ImportTarget,
): string {
  return source.replace(specifierPattern, (_match, lead: string, quote: string, specifier: string) => {
    const wanted = target(resolve(dirname(fromFile), specifier));
    return `${lead}${quote}${relativeSpecifier(dirname(toFile), wanted)}${quote}`;
  });
}

/** The absolute paths that a file's relative imports name. */
export function relativeImportsOf(source: string, file: string): string[] {
  return [...source.matchAll(specifierPattern)].map((match) => resolve(dirname(file), match[3] ?? "."));
}

function relativeSpecifier(fromFolder: string, toFile: string): string {
  const path = relative(fromFolder, toFile).split(sep).join("/");
  return path.startsWith(".") ? path : `./${path}`;
}
