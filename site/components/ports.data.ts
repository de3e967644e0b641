// What the ports hold: site/data/ports.json, which scripts/ported-results.ts writes; and one sentence of what they cost.

import { readSaved } from "./saved-file.ts";
import { figure, type Saved, type SavedTable } from "./saved-tables.ts";

export interface Misses {
  readonly title: string;
  readonly groups: readonly { readonly name: string; readonly cases: readonly string[] }[];
}

export interface PortsData {
  readonly contracts: SavedTable | null;
  readonly misses: readonly Misses[];
  /** m5 beside Pingora in one sentence, where both were measured. */
  readonly comparison: string | null;
}

const names: Readonly<Record<string, string>> = { pingora: "Pingora", go: "Go" };

const modeOf = ({ port, front }: Saved): string =>
  `${names[port] ?? port}, ${front === "on" ? "with its front" : "stock"}`;

function contractsOf(saved: Saved): SavedTable | null {
  if (saved === undefined) return null;
  const share = ({ passed, failed }: Saved): string =>
    passed + failed === 0 ? "–" : `${passed} of ${passed + failed}`;
  return {
    title: "Cases that hold, by grade",
    columns: ["Router", "Contract", "Core", "Form", "Policy"],
    rows: saved.runs.map((run: Saved) => [
      modeOf(run),
      run.contract,
      share(run.grades.core),
      share(run.grades.form),
      share(run.grades.policy),
    ]),
    taken: `Taken ${saved.date}.`,
    command: "npx tsx scripts/ported-results.ts",
  };
}

/** Every case that some mode misses, by mode, contract and grade. */
function missesOf(saved: Saved): readonly Misses[] {
  if (saved === undefined) return [];
  const modes = [...new Set<string>(saved.runs.map(modeOf))];
  return modes.map((title) => {
    const runs = saved.runs.filter((run: Saved) => modeOf(run) === title);
    const groups = runs.flatMap(({ contract, failures }: Saved) =>
      ["core", "form", "policy"].map((grade) => ({
        name: `${contract}, ${grade}`,
        cases: failures.filter((each: Saved) => each.grade === grade).map((each: Saved) => each.title),
      })),
    );
    return { title, groups: groups.filter(({ cases }: { cases: string[] }) => cases.length > 0) };
  });
}

function comparisonOf(saved: Saved): string | null {
  const row = (name: string): Saved => saved?.rows.find((each: Saved) => each.name === name);
  const [m5, pingora] = [row("m5"), row("pingora")];
  if (!m5?.cpuUsPerRequest || !pingora?.cpuUsPerRequest) return null;
  const cpu = figure(m5.cpuUsPerRequest.median / pingora.cpuUsPerRequest.median);
  const memory = Math.round(m5.peakRssMiB / pingora.peakRssMiB);
  return `In this run, m5 used ${cpu} times the CPU time of Pingora per request, and ${memory} times its memory.`;
}

declare const data: PortsData;

export { data };

export default {
  watch: ["../data/ports.json", "../data/bench-ports.json"],
  load(): PortsData {
    const saved = readSaved("ports");
    return {
      contracts: contractsOf(saved),
      misses: missesOf(saved),
      comparison: comparisonOf(readSaved("bench-ports")),
    };
  },
};
