// m4/03: a cell comes back with cold caches. How many requests does the half-open circuit let through to it?

import { CircuitBreaker } from "../../../stages/m4/src/circuit-breaker.ts";
import { between, seededRandom } from "../../simulations/random.ts";
import { numberOf, type Simulation, seedParameter, textOf } from "../../simulations/simulation.ts";
import { type CellSettings, OneCellRun, type OneCellState } from "./one-cell.ts";

const durationMs = 20_000;
const crashMs = 2_000;
const backMs = { usual: 5_500, late: 14_000 };
const tenants = ["acme", "globex", "initech"];

const cell: CellSettings = {
  most: { warm: 100, cold: 6 },
  takesMs: { warm: 100, cold: 500 },
  warmsAfter: 3,
  downMs: 1_200,
};

const settings = {
  consecutiveFailures: 3,
  minimumRequests: 1_000,
  failureRatio: 1,
  windowMs: 10_000,
  waitMs: 2_000,
  maxWaitMs: 8_000,
  halfOpenProbes: 3,
};

export const stampede: Simulation<OneCellState> = {
  name: "stampede",
  durationMs,
  worlds: [{ name: "stage", label: () => "The stage's code", values: {} }],
  rows: ["success", "in flight"],
  parameters: [
    seedParameter,
    {
      kind: "number",
      name: "rate",
      label: "Requests",
      unit: "per second",
      min: 5,
      max: 60,
      step: 5,
      value: 30,
    },
    {
      kind: "choice",
      name: "case",
      label: "What happens",
      choices: [
        { value: "crash", label: "the cell crashes and comes back" },
        { value: "leave", label: "clients leave while it is slow" },
        { value: "reports", label: "it goes on with long reports" },
        { value: "long", label: "it is down for long" },
      ],
      value: "crash",
    },
  ],
  before: () => new OneCellRun(cell, tenants).state(),
  run: (values) => {
    const run = new OneCellRun(cell, tenants);
    const random = seededRandom(numberOf(values, "seed"));
    const what = textOf(values, "case");
    const breaker = new CircuitBreaker(settings, (to, from) => {
      run.band("breaker", to.kind === "closed" ? undefined : to.kind);
      run.emit("breaker", `${from.kind} → ${to.kind}`, to.kind === "closed" ? "good" : "warn");
    });
    run.guard = {
      ask: (_key, nowMs) => {
        const permit = breaker.allow(nowMs);
        return permit.allowed
          ? { ok: true, end: (outcome, endMs) => permit.record(outcome, endMs) }
          : { ok: false };
      },
      state: (nowMs) => {
        const { kind } = breaker.state(nowMs);
        return { words: `circuit ${kind}`, kind };
      },
    };
    run.queue.at(crashMs, () => run.crash("crashes"));
    run.queue.at(what === "long" ? backMs.late : backMs.usual, () => run.comeBack());
    // Begun before the crash, they end in all phases of the circuit.
    if (what === "reports")
      for (let each = 0; each < 40; each++) {
        const report = { takesMs: 1_500 + each * 250, ends: each % 4 === 3 ? "failed" : "good" } as const;
        run.queue.at(1_000 + each * 10, () => run.send("initech", { report }));
      }
    const meanMs = 1_000 / numberOf(values, "rate");
    const arrive = () => {
      run.queue.after(between(random, meanMs * 0.4, meanMs * 1.6), () => {
        const key = tenants[Math.floor(random() * tenants.length)] ?? "acme";
        // While the cell is warm, it is faster than anybody leaves.
        if (what === "leave" && random() < 0.5) run.send(key, { patienceMs: 200 });
        else run.send(key);
        arrive();
      });
    };
    arrive();
    return run.finish(durationMs, []);
  },
};
