// A stage in a folder of its own, with shared/ and the settings of the project: what a learner would take along. What it
// borrows from another stage, or from the rest of the project, is missing there.

import { cpSync, existsSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { packageFile } from "./run-tool.ts";
import type { Milestone } from "./stages.ts";

export function copyStageAlone(stage: Milestone, root: string, folder: string): void {
  for (const path of [`stages/${stage}`, "shared", "package.json", "tsconfig.json", "vitest.config.ts"]) {
    if (existsSync(join(root, path))) cpSync(join(root, path), join(folder, path), { recursive: true });
  }
  symlinkSync(packageFile("."), join(folder, "node_modules"), "junction");
}
