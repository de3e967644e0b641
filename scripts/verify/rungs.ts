// m5's ladder stays measurable: each step of bench/rungs.ts has a patch in bench/rungs/ that takes it out of today's m5.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { patchRung, rungPatch } from "../../bench/rung-patch.ts";
import type { Rung } from "../../bench/rungs.ts";
import { type CheckResult, error, type Finding } from "../check.ts";
import { filesUnder } from "../stages.ts";

export const check = {
  name: "rungs",
  title: "Each step of m5's ladder has a patch that fits today's m5",
  order: 52,
  fast: true,
  run,
};

const list = "bench/rungs.ts";
const refresh = "bench/README.md says how to refresh it";

async function run(root: string): Promise<CheckResult> {
  if (!existsSync(join(root, list))) return { findings: [], looked: "no rungs" };
  const { rungs } = (await import(pathToFileURL(join(root, list)).href)) as {
    readonly rungs: readonly Rung[];
  };
  const names = rungs.map(({ name }) => name);
  const patches = filesUnder(join(root, "bench", "rungs"));
  const unlisted = patches.filter((file) => !names.includes(file.replace(/\.patch$/, "")));
  const findings = [
    ...rungs.flatMap((rung) => findingsOf(rung, root)),
    ...unlisted.map((file) => error(`bench/rungs/${file}`, `belongs to no rung of ${list}`)),
  ];
  return { findings, looked: `${names.length} rungs` };
}

function findingsOf(rung: Rung, root: string): Finding[] {
  const where = `bench/rungs/${rung.name}.patch`;
  if (!existsSync(rungPatch(rung.name, root)))
    return [error(list, `names "${rung.name}", but there is no ${where}`)];
  return patchRung(rung, root).faults.map(({ file, why }) =>
    error(where, `stages/m5/src/${file}: ${why}; ${refresh}`),
  );
}
