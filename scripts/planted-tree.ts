// A small tree in an empty folder, for tests that plant a fault and expect a check to find it.

import { cpSync, mkdirSync, mkdtempDisposableSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Check } from "./check.ts";
import { projectRoot } from "./stages.ts";

export interface PlantedTree extends Disposable {
  readonly root: string;
  /** Writes a file, with the folders that it needs. */
  write(path: string, text: string): void;
  /** Copies a file or folder of the project. */
  copy(path: string): void;
}

/** Makes a folder with these files; its name has a space in it, because a clone's may. It goes when the test ends. */
export function plantTree(files: Readonly<Record<string, string>> = {}, base = tmpdir()): PlantedTree {
  mkdirSync(base, { recursive: true });
  const { path, remove } = mkdtempDisposableSync(join(base, "planted tree-"));
  const root = realpathSync(path);
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  for (const [path, text] of Object.entries(files)) write(path, text);
  return {
    root,
    write,
    copy: (path) => cpSync(join(projectRoot, path), join(root, path), { recursive: true }),
    [Symbol.dispose]: remove,
  };
}

/** Gives a planted tree the packages that are installed in the project. */
export function linkPackages(tree: PlantedTree): void {
  symlinkSync(join(projectRoot, "node_modules"), join(tree.root, "node_modules"), "junction");
}

/** What a check finds in a planted tree: `level where: what` a finding, with the first line of each. */
export async function findingsOf(check: Check, tree: PlantedTree): Promise<string[]> {
  const result = await check.run(tree.root);
  return result.findings.map(({ level, where, what }) => `${level} ${where}: ${what.split("\n")[0]}`);
}
