// The promises on production engines: the tests of `graduation/` that start HAProxy, nginx, etcd or Envoy. Where an engine is not
// installed, its tests are skipped, and the check names it.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { engineVersion } from "../../graduation/topic.ts";
import { envoyVersion } from "../../graduation/xds/envoy.ts";
import { type CheckResult, error } from "../check.ts";
import { lastLines, packageFile, runNode } from "../run-tool.ts";

export const check = {
  name: "graduation",
  title: "Production engines keep the same promises",
  order: 72,
  run,
};

async function run(root: string): Promise<CheckResult> {
  if (!existsSync(join(root, "graduation"))) return { findings: [], looked: "no topics" };
  const versions = {
    haproxy: engineVersion("haproxy"),
    nginx: engineVersion("nginx"),
    etcd: engineVersion("etcd"),
    envoy: envoyVersion(),
  };
  const engines = Object.entries(versions).map(
    ([name, version]) => `${name} ${version ?? "skipped, not installed"}`,
  );
  const words = ["run", "--project", "graduation", "--passWithNoTests", ".slow.test.ts"];
  const { code, output } = await runNode(packageFile("vitest/vitest.mjs"), words, {
    cwd: root,
    env: { EVERY_CONTRACT: "1" },
  });
  const [, tests = "no tests"] = /Tests +(.+)/.exec(output) ?? [];
  const looked = `${tests}; ${engines.join(", ")}`;
  if (code === 0) return { findings: [], looked };
  return { findings: [error("graduation", `fails its tests:\n${lastLines(output, 60)}`)], looked };
}
