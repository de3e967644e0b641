// Counts how requests ended, and keeps what broke an invariant.

import type { Outcome, Verdict } from "./judge.ts";

const maxViolations = 100;

export class Tally {
  readonly violations: string[] = [];
  readonly outcomes = new Map<Outcome, number>();
  violationCount = 0;
  requests = 0;

  ended({ outcome, violations }: Verdict, what: string): void {
    this.requests += 1;
    count(this.outcomes, outcome);
    for (const violation of violations) this.violated(`${violation}: ${what}`);
  }

  violated(what: string): void {
    this.violationCount += 1;
    if (this.violations.length < maxViolations) this.violations.push(what);
  }
}

export function count<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
