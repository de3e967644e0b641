// A short run of the fuzzer. Every run takes the same cases: a red verify must be red again for the one who looks into it.
// The long run is `npm run fuzz -- --messages 1000000`.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { type CheckResult, error } from "../check.ts";
import { runNode } from "../run-tool.ts";

const messages = 20_000;

export const check = {
  name: "fuzz",
  title: "m5's parser frames no damaged message otherwise than Node's",
  order: 50,
  run,
};

async function run(root: string): Promise<CheckResult> {
  if (!existsSync(join(root, "stages/m5/src/http1"))) return { findings: [], looked: "no parser in m5" };
  const args = ["--messages", String(messages), "--seed", "5", "--json"];
  const { code, output } = await runNode(join(root, "scripts/fuzz.ts"), args, { cwd: root });
  const looked = `${messages} messages`;
  if (code === 0) return { findings: [], looked };
  if (code === 1) return { findings: [error("stages/m5/src/http1", output.trim())], looked };
  throw new Error(output);
}
