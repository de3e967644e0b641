// The bench's last saved result, as `npm run bench -- --save` wrote it; null where nobody has saved one.

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface BenchRow {
  readonly name: string;
  readonly kind: string;
  readonly about: string;
  readonly version: string;
  readonly cpuUsPerRequest?: Spread;
  readonly cpuRatios: Readonly<Record<string, Spread>>;
  readonly requestsPerSecond?: Spread;
  readonly p50Ms?: Spread;
  readonly p99Ms?: Spread;
  readonly peakRssMiB?: number;
}

export interface Bench {
  readonly takenAt: string;
  readonly machine: Readonly<Record<string, string | number | boolean>>;
  readonly method: Readonly<Record<string, string | number>>;
  readonly rows: readonly BenchRow[];
}

const file = fileURLToPath(new URL("../data/bench.json", import.meta.url));

declare const data: Bench | null;

export { data };

export default {
  watch: ["../data/bench.json"],
  load(): Bench | null {
    if (!existsSync(file)) return null;
    const { takenAt, machine, method, rows } = JSON.parse(readFileSync(file, "utf8"));
    // Without the single rounds, which would be most of the page.
    return { takenAt, machine, method, rows: rows.map(({ rounds: _, ...row }: { rounds: unknown }) => row) };
  },
};
