// A second router beside the stack's own, from the same files, for steps that need another control plane than the stack's.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ScriptedControlPlane } from "../../shared/contract/m3/scripted-control-plane.ts";
import { type RouterProcess, startRouter } from "../../shared/testkit/router-process.ts";
import type { DemoContext } from "../demo.ts";

/** Starts it over the stack's cells. Whoever starts it stops it. */
export function startOwnRouter(
  demo: DemoContext,
  env: Readonly<Record<string, string>>,
): Promise<RouterProcess> {
  const { stage, stageFolder } = demo.stack.options;
  return startRouter({
    stage,
    main: join(stageFolder, "src", "main.ts"),
    routing: JSON.parse(readFileSync(demo.routingFile, "utf8")),
    env,
    readyDeadlineMs: 30_000,
  });
}

/** Runs a step with a control plane that does what the step says, and a router that is linked to it. */
export async function withScriptedControlPlane(
  demo: DemoContext,
  step: (controlPlane: ScriptedControlPlane, router: RouterProcess) => Promise<void>,
): Promise<void> {
  await using controlPlane = await ScriptedControlPlane.listen();
  const url = `ws://127.0.0.1:${controlPlane.port}`;
  await using router = await startOwnRouter(demo, {
    CONTROL_PLANE_URL: url,
    CONTROL_PLANE_TOKEN: "t".repeat(32),
  });
  await step(controlPlane, router);
}
