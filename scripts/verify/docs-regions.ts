// Pages show code by region. A region that was renamed or lost would leave the page with the whole file, or with
// nothing; and a region that no page shows is a mark in the code that means nothing to its reader. Code that is typed into
// a page would be true on the day that it is typed.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type CheckResult, error, type Finding } from "../check.ts";
import { embeddedCode, readEmbeds, readRegions } from "../docs/code-regions.ts";
import { sitePages } from "../docs/pages.ts";
import { fencesOf } from "../markdown.ts";
import { filesUnder, presentStages } from "../stages.ts";

export const check = {
  name: "docs-regions",
  title: "Code on the pages comes from regions that exist, and every region is on a page",
  order: 55,
  fast: true,
  run,
};

async function run(root: string): Promise<CheckResult> {
  const findings: Finding[] = [];
  const used = new Set<string>();
  let count = 0;
  for (const page of sitePages(root)) {
    const markdown = readFileSync(join(root, page), "utf8");
    findings.push(
      ...typedCode(markdown).map((line) =>
        error(`${page}:${line}`, "code of a stage is embedded, never typed"),
      ),
    );
    for (const embed of readEmbeds(markdown)) {
      count += 1;
      used.add(nameOf(embed.path, embed.region ?? ""));
      const code = embeddedCode(root, embed);
      if (!code.ok) findings.push(error(`${page}:${embed.line}`, code.fault));
    }
  }
  const regions = regionsOf(root, findings);
  const unused = [...regions].filter(([name]) => !used.has(name));
  findings.push(
    ...unused.map(([name, where]) => error(where, `no page shows the region ${name.split("#")[1]}`)),
  );
  return { findings, looked: `${count} embeds, ${regions.size} regions` };
}

/** Lines of the fences that hold TypeScript or JavaScript. */
function typedCode(markdown: string): number[] {
  return fencesOf(markdown)
    .filter(({ info }) => /^(?:[cm]?[jt]sx?|typescript|javascript)\b/.test(info))
    .map(({ line }) => line);
}

/** Where each region stands first, by file and name: a later stage's copy is the same region. */
function regionsOf(root: string, findings: Finding[]): ReadonlyMap<string, string> {
  const regions = new Map<string, string>();
  for (const stage of presentStages(root)) {
    const folder = `stages/${stage}/src`;
    for (const file of filesUnder(join(root, folder))) {
      const path = `${folder}/${file}`;
      try {
        for (const { name, line } of readRegions(readFileSync(join(root, path), "utf8"))) {
          const key = nameOf(path, name);
          regions.set(key, regions.get(key) ?? `${path}:${line}`);
        }
      } catch (thrown) {
        findings.push(error(path, thrown instanceof Error ? thrown.message : String(thrown)));
      }
    }
  }
  return regions;
}

function nameOf(path: string, region: string): string {
  return `${path.replace(/^stages\/m\d\//, "")}#${region}`;
}
