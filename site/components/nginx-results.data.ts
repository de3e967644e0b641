// What nginx does otherwise, by cause: site/data/graduation-nginx.json, which graduation/nginx/contract-results.ts writes.

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Saved } from "./saved-tables.ts";

export interface NginxData {
  readonly nginx: string;
  readonly date: string;
  /** How many core cases hold, by contract. */
  readonly words: string;
  readonly causes: readonly { readonly name: string; readonly words: string; readonly cases: number }[];
}

const file = fileURLToPath(new URL("../data/graduation-nginx.json", import.meta.url));

declare const data: NginxData | null;

export { data };

export default {
  watch: ["../data/graduation-nginx.json"],
  load(): NginxData | null {
    return existsSync(file) ? resultsOf(JSON.parse(readFileSync(file, "utf8"))) : null;
  },
};

function resultsOf({ nginx, date, runs, causes }: Saved): NginxData {
  const held = runs.map(({ contract, grades: { core } }: Saved) => {
    return `${core.passed} of ${core.passed + core.failed} core cases of ${contract} hold`;
  });
  const failures = runs.flatMap((run: Saved) => run.failures).filter(({ grade }: Saved) => grade === "core");
  const counted = causes.map((cause: Saved) => {
    return { ...cause, cases: failures.filter((failure: Saved) => failure.cause === cause.name).length };
  });
  return {
    nginx,
    date,
    words: `${held.join(", ")}. What it does otherwise, and why`,
    causes: counted.sort((a: Saved, b: Saved) => b.cases - a.cases),
  };
}
