// What `npm run verify` is made of. Each file in scripts/verify/ exports one `check`, named like its file; a new file
// is a new check, and nothing else has to know about it.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Milestone } from "./stages.ts";

export interface Finding {
  /** An error turns verify red; a warning is shown and does not. */
  readonly level: "error" | "warning";
  /** File, with a line where there is one: `stages/m2/src/proxy.ts:14`. */
  readonly where: string;
  /** What is wrong, and what to do, in a sentence or a few lines. */
  readonly what: string;
}

export interface CheckResult {
  readonly findings: readonly Finding[];
  /** What was looked at, with numbers: a check that found nothing to look at should say so. */
  readonly looked: string;
}

export interface Check {
  /** The name of the check's file, without `.ts`; what `--only` takes. */
  readonly name: string;
  /** What holds when the check passes, as a sentence without a full stop. */
  readonly title: string;
  /** Checks run from low to high: the quick ones first. */
  readonly order: number;
  /** It takes a second or so, and runs with `--fast`. @default false */
  readonly fast?: boolean;
  /**
   * Looks at the tree under `root`, which may be a planted one: read nothing outside of it. A check that looks at stages one
   * by one looks at `only`, where it is given.
   * A check that throws could not look, which is a fault of ours (exit code 2).
   */
  readonly run: (root: string, only?: Milestone) => Promise<CheckResult>;
}

export function error(where: string, what: string): Finding {
  return { level: "error", where, what };
}

export function warning(where: string, what: string): Finding {
  return { level: "warning", where, what };
}

/** Names of a folder's checks, from its files: nothing is loaded. */
export function checkNames(folder: string): string[] {
  const files = readdirSync(folder).filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"));
  return files.map((file) => file.replace(/\.ts$/, "")).sort();
}

/** The checks of a folder in the order in which they run; those of `names` only, where it is given. */
export async function loadChecks(folder: string, names = checkNames(folder)): Promise<Check[]> {
  const checks = await Promise.all(names.map((name) => loadCheck(folder, name)));
  return checks.sort((a, b) => a.order - b.order || (a.name < b.name ? -1 : 1));
}

/** A check that cannot be loaded is one that cannot run; it must not keep the others from running. */
async function loadCheck(folder: string, name: string): Promise<Check> {
  try {
    const file = pathToFileURL(join(folder, `${name}.ts`)).href;
    const { check } = (await import(file)) as { readonly check?: Check };
    if (check?.name === name) return check;
    throw new Error(`scripts/verify/${name}.ts must export a check named after its file`);
  } catch (thrown) {
    const run = () => Promise.reject(thrown);
    return { name, title: "The check can be loaded", order: 0, run };
  }
}
