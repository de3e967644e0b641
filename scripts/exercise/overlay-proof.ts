// Proves that solutions serve: laid over their stage, in a copy that stands alone, they type-check and the stage
// passes its contract. Solutions that touch different files are laid over together; what clashes is tried apart.

import { existsSync, mkdirSync, mkdtempDisposableSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import pMap from "p-map";
import { error, type Finding } from "../check.ts";
import { packageFile, runCompiler, runNode } from "../run-tool.ts";
import { copyStageAlone } from "../stage-alone.ts";
import type { Exercise } from "./exercise-spec.ts";
import { overlayFiles, type StageName } from "./overlay.ts";

interface Group {
  readonly stage: StageName;
  readonly ids: string[];
  readonly files: Map<string, string>;
}

/** Contracts spend most of their time waiting for time limits, so a few run side by side. */
const sideBySide = 3;

export async function proveOverlays(root: string, exercises: readonly Exercise[]): Promise<Finding[]> {
  const findings: Finding[] = [];
  const groups = groupOverlays(exercises, findings);
  const faults = await pMap(groups, (group) => proveGroup(root, group), { concurrency: sideBySide });
  return [...findings, ...faults.flat()];
}

/** Puts overlays together as long as no two of them want one file of a stage to read differently. */
function groupOverlays(exercises: readonly Exercise[], findings: Finding[]): Group[] {
  const groups: Group[] = [];
  for (const exercise of exercises) {
    const { id, overlay } = exercise.spec;
    if (overlay === undefined) continue;
    try {
      const files = overlayFiles(exercise, { kind: "solution" });
      const clashes = (group: Group) =>
        [...files].some(([name, text]) => (group.files.get(name) ?? text) !== text);
      let group = groups.find((each) => each.stage === overlay.stage && !clashes(each));
      if (group === undefined) {
        group = { stage: overlay.stage, ids: [], files: new Map() };
        groups.push(group);
      }
      group.ids.push(id);
      for (const [name, text] of files) group.files.set(name, text);
    } catch (thrown) {
      findings.push(error(`exercises/${id}`, thrown instanceof Error ? thrown.message : String(thrown)));
    }
  }
  return groups;
}

async function proveGroup(root: string, group: Group): Promise<Finding[]> {
  const where = `solutions/{${group.ids.join(",")}} laid over stages/${group.stage}`;
  if (!existsSync(join(root, "stages", group.stage, "src"))) return [error(where, "there is no such stage")];
  const base = join(root, ".state", "overlay-proof");
  mkdirSync(base, { recursive: true });
  // Two authors may prove at the same time.
  using temporary = mkdtempDisposableSync(join(base, `${group.stage}-`));
  const folder = temporary.path;
  copyStage(root, group, folder);
  const types = await runCompiler(folder);
  // Faults outside of the stage's source are not those of the solutions; the check `typecheck` names them.
  const faults = types.output.split("\n").filter((line) => line.startsWith(`stages/${group.stage}/src/`));
  if (faults.length > 0) return [error(where, `does not type-check:\n${faults.join("\n")}`)];
  const suites = readdirSync(join(folder, "stages", group.stage, "test")).filter((name) =>
    /^contract.*\.test\.ts$/.test(name),
  );
  if (suites.length === 0) return [error(where, "the stage has no contract-*.test.ts to pass")];
  const tests = await runNode(
    packageFile("vitest/vitest.mjs"),
    ["run", "--project", group.stage, ...suites.map((name) => `test/${name}`)],
    { cwd: folder },
  );
  return tests.code === 0
    ? []
    : [error(where, `fails the contract:\n${tests.output.trim().split("\n").slice(-60).join("\n")}`)];
}

/** The stage with the files laid over it, and what its contract needs; the rest of the project stays out. */
function copyStage(root: string, group: Group, folder: string): void {
  copyStageAlone(group.stage, root, folder);
  for (const [name, text] of group.files) {
    const file = join(folder, "stages", group.stage, "src", name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}
