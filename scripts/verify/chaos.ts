// A short run of chaos against every stage. Every run takes the same seed: a red verify must be red again for the one who
// looks into it, timing aside. The long run is `npm run chaos -- --seconds 600`.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { objectIn } from "../../shared/testkit/json-text.ts";
import { type CheckResult, error, type Finding } from "../check.ts";
import { runNode } from "../run-tool.ts";
import { type Milestone, presentStages } from "../stages.ts";

const seconds = 10;
const seed = 5;

export const check = {
  name: "chaos",
  title: "Each stage survives hostile clients and cells, and mixes nothing up",
  order: 74,
  run,
};

async function run(root: string, only?: Milestone): Promise<CheckResult> {
  const script = join(root, "scripts/chaos.ts");
  const stages = presentStages(root).filter((stage) => only === undefined || stage === only);
  if (!existsSync(script) || stages.length === 0) return { findings: [], looked: "no stage, or no chaos" };
  const findings: Finding[] = [];
  let connections = 0;
  for (const stage of stages) {
    const { code, output, stdout } = await runNode(script, argumentsFor(stage), { cwd: root });
    if (code !== 0 && code !== 1) throw new Error(output);
    const report = objectIn(stdout) as Report | undefined;
    if (report === undefined) throw new Error(output);
    connections += report.connections;
    if (code === 1) findings.push(error(`stages/${stage}`, words(stage, report)));
  }
  return { findings, looked: `${connections} hostile connections, seed ${seed}` };
}

function argumentsFor(stage: Milestone): string[] {
  return ["--stage", stage, "--seconds", String(seconds), "--seed", String(seed), "--json"];
}

/** What is taken from the command's JSON. */
interface Report {
  readonly connections: number;
  readonly ended?: { readonly how: string; readonly lastLines: readonly string[] };
  readonly faults: readonly { readonly rule: string; readonly count: number }[];
  readonly replay: readonly string[];
}

function words(stage: Milestone, { ended, faults, replay }: Report): string {
  const lines = [
    ...(ended === undefined ? [] : [`the router ${ended.how}`, ...ended.lastLines.slice(-5)]),
    ...faults.map(({ rule, count }) => `${rule} (${count} times)`),
    ...replay,
    `npm run chaos -- --stage ${stage} --seconds ${seconds} --seed ${seed}`,
  ];
  return [...new Set(lines)].join("\n");
}
