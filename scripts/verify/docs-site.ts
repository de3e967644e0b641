// The site builds, its links and anchors lead somewhere, its first page is light, and it keeps to itself.

import { type CheckResult, error } from "../check.ts";
import { buildSite } from "../docs/build.ts";
import { builtSiteFolder, validateBuiltSite } from "../docs/built-site.ts";

export const check = {
  name: "docs-site",
  title: "The site builds, without dead links or anchors, its first page under 300 kB",
  order: 67,
  run,
};

async function run(root: string): Promise<CheckResult> {
  const built = await buildSite(root);
  if (!built.ok) return { looked: "it does not build", findings: [error("site", built.output)] };
  const { faults, summary } = validateBuiltSite(builtSiteFolder(root));
  return { looked: summary, findings: faults.map((fault) => error("site", fault)) };
}
