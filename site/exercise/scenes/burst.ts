// m4/01: a batch job sends its requests around the full second. What reaches the cell at once, and what becomes of others?

import { TokenBucket } from "../../../stages/m4/src/token-bucket.ts";
import { between, seededRandom } from "../../simulations/random.ts";
import { numberOf, type Simulation, seedParameter } from "../../simulations/simulation.ts";
import { type CellSettings, OneCellRun, type OneCellState } from "./one-cell.ts";

const durationMs = 14_000;
const job = "acme";
const bystander = "globex";
const limit = { ratePerSecond: 10, burst: 10 };

const cell: CellSettings = {
  most: { warm: 15, cold: 15 },
  takesMs: { warm: 300, cold: 300 },
  warmsAfter: 5,
  downMs: 1_000,
};

export const burst: Simulation<OneCellState> = {
  name: "burst",
  durationMs,
  worlds: [{ name: "stage", label: () => "The stage's code", values: {} }],
  rows: ["bystanders", "success", "in flight"],
  parameters: [
    seedParameter,
    {
      kind: "number",
      name: "size",
      label: "The job sends",
      unit: "before and after the second",
      min: 2,
      max: 20,
      step: 1,
      value: 10,
    },
  ],
  before: () => new OneCellRun(cell, [job, bystander]).state(),
  run: (values) => {
    const run = new OneCellRun(cell, [job, bystander]);
    const random = seededRandom(numberOf(values, "seed"));
    const bucket = new TokenBucket(limit, 0);
    run.guard = {
      ask: (key, nowMs) =>
        key !== job || bucket.tryTake(nowMs).ok ? { ok: true, end: () => {} } : { ok: false },
      state: (nowMs) => ({
        words: `${bucket.level(nowMs).toFixed(1)} tokens for ${job}`,
        kind: bucket.level(nowMs) >= 1 ? "closed" : "open",
      }),
    };
    const size = numberOf(values, "size");
    for (let second = 2; second < durationMs / 1_000; second += 3) {
      run.queue.at(second * 1_000 - 190, () => run.emit(job, "sends a batch around the full second", "info"));
      // Where a limiter counts in windows, this one begins a window that ends with the full second.
      run.queue.at((second - 1) * 1_000 - 150, () => run.send(job));
      for (let each = 0; each < 2 * size; each++) {
        // The way to the router takes 150 ms: half of the batch arrives just before the second, half just after it.
        const offsetMs = each < size ? -40 + (each * 35) / size : 5 + ((each - size) * 35) / size;
        run.queue.at(second * 1_000 + offsetMs - 150, () => run.send(job));
      }
    }
    const arrive = () => {
      run.queue.after(between(random, 80, 320), () => {
        run.send(bystander);
        arrive();
      });
    };
    arrive();
    return run.finish(durationMs, [job]);
  },
};
