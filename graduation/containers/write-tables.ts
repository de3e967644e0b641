// Writes what a container's volume begins with: each stage's routing table, with the names of the containers in the place of
// loopback. A stage that has a table with resilience settings gets that one, so that stopping a cell shows a failover.
//
//   node graduation/containers/write-tables.ts /volumes/state      → /volumes/state/m2/routing.json, …

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

interface RoutingFile {
  readonly placements: Readonly<Record<string, { readonly url: string }>>;
}

/** `text` is a routing file whose cells run on this machine; in the result, each runs in the container of its name. */
export function tableForContainers(text: string): string {
  // The `$schema` beside the stage's file does not come along.
  const { $schema: _, ...file } = JSON.parse(text) as RoutingFile & { readonly $schema?: string };
  const placements = Object.entries(file.placements).map(([name, placement]) => {
    return [name, { ...placement, url: `http://${name}:${new URL(placement.url).port}` }];
  });
  return `${JSON.stringify({ ...file, placements: Object.fromEntries(placements) }, null, 2)}\n`;
}

/** The file that a stage starts with, or undefined: m1's table is code. */
export function tableOf(stageFolder: string): string | undefined {
  return ["routing.resilience.json", "routing.json"]
    .map((name) => join(stageFolder, name))
    .find((file) => existsSync(file));
}

function writeTables(stages: string, target: string): void {
  for (const stage of readdirSync(stages)) {
    const file = tableOf(join(stages, stage));
    // m1 has a folder too: the settings that compose.yaml gives to every stage name it.
    mkdirSync(join(target, stage), { recursive: true });
    if (file === undefined) continue;
    writeFileSync(join(target, stage, "routing.json"), tableForContainers(readFileSync(file, "utf8")));
  }
}

if (import.meta.main) {
  const [target] = process.argv.slice(2);
  // The image's build has neither shared/ nor scripts/ here.
  if (target === undefined || target.startsWith("-")) {
    console.error("Usage: node graduation/containers/write-tables.ts FOLDER");
    process.exit(target === "--help" ? 0 : 1);
  }
  writeTables(join(import.meta.dirname, "../../stages"), target);
}
