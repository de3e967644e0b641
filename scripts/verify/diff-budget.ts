// A stage adds to the last one. What it takes away is bounded, so that the diff between two stages stays a lesson;
// m5 rewrites the data path, but the decisions it makes are m4's, unchanged.

import { type CheckResult, error, type Finding } from "../check.ts";
import { diffBudget, diffStages, removedShareAllowed, type StageDiff } from "../stage-diff.ts";
import { presentStages } from "../stages.ts";

export const check = {
  name: "diff-budget",
  title: `A stage removes at most ${removedShareAllowed * 100} % of the last one's lines`,
  order: 60,
  fast: true,
  run,
};

/** Modules of m4 that decide, and that m5 must take over as they are. */
const decisions = [
  "routing",
  "routing-table",
  "circuit-breaker",
  "token-bucket",
  "concurrency-limit",
  "retry-budget",
  "retry-policy",
  "failover",
  "health-checker",
].map((name) => `src/${name}.ts`);

async function run(root: string): Promise<CheckResult> {
  const stages = presentStages(root);
  const diffs = stages.slice(1).map((to, index) => diffStages(stages[index] ?? to, to, root));
  const findings = diffs.flatMap(faultsOf);
  return { findings, looked: diffs.map(summary).join("; ") || "one stage only" };
}

function faultsOf(diff: StageDiff): Finding[] {
  const where = `stages/${diff.to}`;
  if (diff.to === "m5") {
    return diff.files
      .filter((file) => decisions.includes(file.path) && file.status !== "same" && file.status !== "new")
      .map((file) =>
        error(`${where}/${file.path}`, `${file.status}, but m5 takes m4's decisions over as they are`),
      );
  }
  const { removedShare, isWithin } = diffBudget(diff);
  if (isWithin) return [];
  const worst = [...diff.files].sort((a, b) => b.removed - a.removed).slice(0, 5);
  const list = worst.filter((file) => file.removed > 0).map((file) => `  -${file.removed} ${file.path}`);
  const share = `${(removedShare * 100).toFixed(1)} %`;
  return [
    error(
      where,
      [`removes ${share} of ${diff.from} (${diff.removed} lines); most of it in`, ...list].join("\n"),
    ),
  ];
}

function summary(diff: StageDiff): string {
  return `${diff.to} -${diff.removed} of ${diff.linesBefore}`;
}
