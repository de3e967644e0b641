// What code under test may use beside its own files and still run in a page. An exercise that needs more is one for the
// terminal: `scripts/docs/exercise-bundle.ts` finds out by what it imports.

/** Packages and Node modules that the page provides; `page-externals.ts` says how. */
export const externals = [
  "vitest",
  "zod",
  "node:util",
  "node:events",
  "node:timers/promises",
  "node:buffer",
] as const;

export type External = (typeof externals)[number];

/** Globals of Node that the page provides. */
export const globals: readonly string[] = ["Buffer", "setImmediate", "clearImmediate"];

export function isExternal(name: string): name is External {
  return (externals as readonly string[]).includes(name);
}
