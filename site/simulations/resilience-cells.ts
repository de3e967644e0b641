// The cells of m4's simulation: what each of them does with an attempt, in what state it is, and how busy.

import { isBroken, readFaults } from "./faults.ts";
import { between } from "./random.ts";
import { type Fault, targets } from "./resilience-scenario.ts";
import { textOf, type Values } from "./simulation.ts";

/** How long an attempt waits for a response's head; 10 s in the stage, less here so that one sees it. */
const headTimeoutMs = 3_000;

export interface CellOutcome {
  readonly delayMs: number;
  readonly outcome: "answered" | "connect-failed" | "failure-status" | "timed-out";
}

const words: Readonly<Record<Fault, string>> = {
  down: "refuses connections",
  error: "responds with 503",
  hang: "accepts requests and never responds",
  flap: "fails every other second",
};

export class SimCells {
  readonly #fault: Fault;
  readonly #schedule: ReturnType<typeof readFaults>;
  readonly #random: () => number;
  readonly #inFlight = new Map<string, number>();
  readonly #attempts = new Map<string, number>();

  constructor(values: Values, random: () => number) {
    this.#fault = textOf(values, "fault") as Fault;
    this.#schedule = readFaults(textOf(values, "faults"), targets);
    this.#random = random;
  }

  get faults(): readonly { readonly cell: string; readonly fromMs: number; readonly untilMs: number }[] {
    return this.#schedule.map(({ target, ...times }) => ({ cell: target.slice("cell-".length), ...times }));
  }

  get faultWords(): string {
    return words[this.#fault];
  }

  isFailing(cell: string, nowMs: number): boolean {
    if (!isBroken(this.#schedule, `cell-${cell}`, nowMs)) return false;
    return this.#fault !== "flap" || Math.floor(nowMs / 1_000) % 2 === 0;
  }

  /** What the cell will do with an attempt that begins now. */
  begin(cell: string, nowMs: number): CellOutcome {
    this.#inFlight.set(cell, this.inFlight(cell) + 1);
    this.#attempts.set(cell, this.attempts(cell) + 1);
    const usualMs = between(this.#random, 40, 120);
    if (!this.isFailing(cell, nowMs)) return { delayMs: usualMs, outcome: "answered" };
    switch (this.#fault) {
      case "down":
        return { delayMs: 1, outcome: "connect-failed" };
      case "hang":
        return { delayMs: headTimeoutMs, outcome: "timed-out" };
      case "error":
      case "flap":
        return { delayMs: usualMs, outcome: "failure-status" };
      default:
        return this.#fault satisfies never;
    }
  }

  end(cell: string): void {
    this.#inFlight.set(cell, this.inFlight(cell) - 1);
  }

  inFlight(cell: string): number {
    return this.#inFlight.get(cell) ?? 0;
  }

  /** Attempts that reached the cell: its load. */
  attempts(cell: string): number {
    return this.#attempts.get(cell) ?? 0;
  }
}
