// TypeScript to JavaScript, when the site is built and in the page alike. Types are taken away, not checked; lines stay where
// they are, so that a stack names the learner's own line.

import { transform } from "sucrase";

/**
 * @param path Only for messages.
 * @throws SyntaxError that names the line.
 */
export function stripTypes(text: string, path: string): string {
  try {
    const { code } = transform(text, {
      transforms: ["typescript", "imports"],
      disableESTransforms: true,
      preserveDynamicImport: true,
    });
    return code;
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    const [, what = words, line] = /^(.*?) ?\((\d+):\d+\)$/.exec(words) ?? [];
    const name = path.slice(path.lastIndexOf("/") + 1);
    throw new SyntaxError(`${name}${line === undefined ? "" : `:${line}`}: ${what}`);
  }
}

/** What compiled text requires; types that are imported do not count any more. */
export function requiredBy(code: string): string[] {
  return [...code.matchAll(/\brequire\((['"])([^'"\n]+)\1\)/g)].map((match) => match[2] ?? "");
}
