// The contract of milestone 4: limits, health, breakers, failover and retries, told as cases that know the router by its
// two ports and its file. The suite plays the cells.

import { describe } from "vitest";
import type { ReloadTarget } from "../m2/target.ts";
import { describeBreaker } from "./breaker.ts";
import { describeConcurrency } from "./concurrency.ts";
import { useResilienceContract } from "./contract.ts";
import { describeDroppedLines } from "./dropped-lines.ts";
import { describeFailover } from "./failover.ts";
import { describeHalfOpen } from "./half-open.ts";
import { describeHealth } from "./health.ts";
import { describeInventedKeys } from "./invented-keys.ts";
import { describeEvents, describeMetrics } from "./observability.ts";
import { describeFaultyTables, describePlainTable } from "./plain-table.ts";
import { describeRateLimits } from "./rate-limits.ts";
import { describeRetries } from "./retries.ts";
import { startSlowCases } from "./slow-cases.ts";
import { describeUnderLoad } from "./under-load.ts";

export function describeM4Contract(target: ReloadTarget): void {
  describe("m4 contract", () => {
    const contract = useResilienceContract(target);
    describePlainTable(contract);
    describe("protection", () => {
      const slowCases = startSlowCases(contract);
      describeFaultyTables(contract);
      describeRateLimits(contract);
      describeConcurrency(contract);
      describeHealth(contract);
      describeBreaker(contract);
      describeHalfOpen(contract);
      describeFailover(contract);
      describeRetries(contract);
      describeMetrics(contract);
      describeEvents(contract);
      describeDroppedLines(target);
      describeUnderLoad(contract);
      slowCases.describe();
      // Last: it takes every processor there is.
      describeInventedKeys(contract);
    });
  });
}
