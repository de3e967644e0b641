// The stack in containers: what can be told from the files, and, where a container engine responds, the stack itself: built,
// started, asked, stopped in the middle of a response. Elsewhere that part is skipped, and the check says so.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { ContainerStack, findCompose } from "../../graduation/containers/bring-up.ts";
import { fileFaults } from "../../graduation/containers/files.ts";
import { type CheckResult, error, type Finding } from "../check.ts";
import { lastLines } from "../run-tool.ts";
import { projectRoot } from "../stages.ts";

export const check = {
  name: "containers",
  title: "The stack starts in containers, confined, and keeps m1's promises there",
  order: 74,
  run,
};

async function run(root: string): Promise<CheckResult> {
  if (!existsSync(join(root, "compose.yaml"))) return { findings: [], looked: "no compose.yaml" };
  const findings = (await fileFaults(root)).map(({ where, what }) => error(where, what));
  const files = "compose.yaml, Dockerfile, .dockerignore";
  // A planted tree has files to look at, and nothing to run.
  const compose = root === projectRoot ? findCompose() : undefined;
  if (findings.length > 0 || compose === undefined)
    return { findings, looked: `${files}; the stack is skipped: no container engine with Compose responds` };
  const { faults, asked } = await bringUp(compose);
  return { findings: faults, looked: `${files}; ${asked} checks by ${compose.join(" ")}` };
}

async function bringUp(compose: readonly string[]): Promise<{ faults: Finding[]; asked: number }> {
  await using stack = new ContainerStack(compose, `verify-${process.pid}`);
  try {
    await stack.up();
    const { ok, output } = await stack.test();
    const others = ok ? [await stack.confinementFault(), await stack.drainFault()] : [lastLines(output, 40)];
    const faults = others.filter((fault) => fault !== undefined);
    const asked = output.match(/^ok /gm)?.length ?? 0;
    return { faults: faults.map((fault) => error("compose.yaml", fault)), asked };
  } catch (thrown) {
    const what = `${thrown instanceof Error ? thrown.message : thrown}\n${await stack.logs()}`;
    return { faults: [error("compose.yaml", what)], asked: 0 };
  }
}
