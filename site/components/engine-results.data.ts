// How HAProxy and nginx differ from the contracts, by cause: site/data/graduation-*.json, which their contract-results.ts write.

import { readSaved } from "./saved-file.ts";
import type { Saved } from "./saved-tables.ts";

export interface EngineData {
  readonly name: string;
  readonly version: string;
  readonly date: string;
  /** What takes it again. */
  readonly command: string;
  /** How many core cases hold, by contract. */
  readonly words: string;
  readonly causes: readonly { readonly name: string; readonly words: string; readonly cases: number }[];
}

const engines = [
  { id: "haproxy", name: "HAProxy" },
  { id: "nginx", name: "nginx" },
] as const;

declare const data: readonly EngineData[];

export { data };

export default {
  watch: engines.map(({ id }) => `../data/graduation-${id}.json`),
  load(): EngineData[] {
    return engines.flatMap(({ id, name }) => {
      const saved = readSaved(`graduation-${id}`);
      return saved === undefined ? [] : [resultsOf(id, name, saved)];
    });
  },
};

function resultsOf(id: string, name: string, saved: Saved): EngineData {
  const { date, runs, causes } = saved;
  const held = runs.map(({ contract, grades: { core } }: Saved) => {
    return `${core.passed} of ${core.passed + core.failed} core cases of ${contract} hold`;
  });
  const failures = runs.flatMap((run: Saved) => run.failures).filter(({ grade }: Saved) => grade === "core");
  const counted = causes.map((cause: Saved) => {
    return { ...cause, cases: failures.filter((failure: Saved) => failure.cause === cause.name).length };
  });
  return {
    name,
    version: saved[id],
    date,
    command: `graduation/${id}/contract-results.ts`,
    words: `${held.join(", ")}. What it does differently, and why`,
    causes: counted.filter(({ cases }: Saved) => cases > 0).sort((a: Saved, b: Saved) => b.cases - a.cases),
  };
}
