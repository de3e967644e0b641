import { test } from "vitest";
import { check } from "../../../support/check.ts";
import { type AttemptOutcome, type BreakerPermit, CircuitBreaker } from "../starter/circuit-breaker.ts";

const settings = {
  consecutiveFailures: 2,
  failureRatio: 0.5,
  windowMs: 10_000,
  minimumRequests: 100,
  waitMs: 1000,
  maxWaitMs: 4000,
  halfOpenProbes: 3,
};
const lookAtAllow = "circuit-breaker.ts, CircuitBreaker.allow, half-open";
const lookAtRecord = "circuit-breaker.ts, CircuitBreaker, what a probe's result does";

/** Up to `count` permits at `atMs`. */
function permits(breaker: CircuitBreaker, count: number, atMs: number): BreakerPermit[] {
  const given: BreakerPermit[] = [];
  for (let i = 0; i < count; i++) {
    const answer = breaker.allow(atMs);
    if (answer.allowed) given.push(answer);
  }
  return given;
}

function recordAll(given: readonly BreakerPermit[], outcome: AttemptOutcome, atMs: number): void {
  for (const permit of given) permit.record(outcome, atMs);
}

/** A breaker that two failures opened at 0 ms: half-open from 1,000 ms on. `old`: permits of before, still out. */
function opened(old = 0): { breaker: CircuitBreaker; old: BreakerPermit[] } {
  const breaker = new CircuitBreaker(settings);
  const before = permits(breaker, old, 0);
  recordAll(permits(breaker, 2, 0), "failure", 0);
  return { breaker, old: before };
}

/** How long the circuit stays open if it refuses at `atMs`; 0 if it does not. */
function wait(breaker: CircuitBreaker, atMs: number): number {
  const answer = breaker.allow(atMs);
  return answer.allowed ? 0 : answer.retryAfterMs;
}

test("an open circuit refuses until its wait is over, and says how long that is", async () => {
  await check({
    sent: "a circuit that opened at 0 ms for 1,000 ms, asked at 400 ms, 999 ms and 1,000 ms",
    expected: { "at 400 ms": 600, "at 999 ms": 1, "at 1,000 ms": 0 },
    got: () => {
      const { breaker } = opened();
      const at400 = wait(breaker, 400);
      const at999 = wait(breaker, 999);
      return { "at 400 ms": at400, "at 999 ms": at999, "at 1,000 ms": wait(breaker, 1000) };
    },
    likely: "The wait counts from the opening, and ends when it is over.",
    lookAt: "circuit-breaker.ts, CircuitBreaker.allow, open",
  });
});

test("half-open lets exactly three probes through at once", async () => {
  await check({
    sent: "a circuit that opened at 0 ms for 1,000 ms: 50 requests at 1,000 ms",
    expected: 3,
    got: () => permits(opened().breaker, 50, 1000).length,
    likely: "Everybody who waited is let through together; the cell meets its whole load at once.",
    lookAt: lookAtAllow,
    hint: 1,
  });
});

test("a probe that succeeded keeps its slot until the phase is over", async () => {
  await check({
    sent: "half-open: 50 requests, two probes succeed and the third is slow; then 50 requests more",
    expected: { first: 3, "while the third is slow": 0, state: "half-open" },
    got: () => {
      const { breaker } = opened();
      const probes = permits(breaker, 50, 1000);
      recordAll(probes.slice(0, 2), "success", 1100);
      const more = permits(breaker, 50, 1200).length;
      return {
        first: probes.length,
        "while the third is slow": more,
        state: breaker.state(1200).kind as string,
      };
    },
    likely: "The slots of the successful probes are given out again.",
    lookAt: lookAtAllow,
    hint: 2,
  });
});

test("the circuit closes when all three probes have succeeded, and not before", async () => {
  await check({
    sent: "half-open: three probes, which succeed one after the other; the state after each",
    expected: ["half-open", "half-open", "closed"],
    got: () => {
      const { breaker } = opened();
      return permits(breaker, 3, 1000).map((probe) => {
        probe.record("success", 1100);
        return breaker.state(1100).kind as string;
      });
    },
    likely: "As many successes as there are probes close the circuit.",
    lookAt: lookAtRecord,
  });
});

test("an abandoned probe is no failure", async () => {
  await check({
    sent: "half-open: the clients of two probes leave; the state",
    expected: "half-open",
    got: () => {
      const { breaker } = opened();
      recordAll(permits(breaker, 2, 1000), "abandoned", 1100);
      return breaker.state(1100).kind as string;
    },
    likely:
      "Whatever is no success was taken for a failure; but it was the client that left, and not the cell that failed.",
    lookAt: lookAtRecord,
    hint: 2,
  });
});

test("an abandoned probe gives its slot to the next request", async () => {
  await check({
    sent: "half-open: 50 requests, the clients of two probes leave; then 50 requests more",
    expected: { first: 3, "after two left": 2 },
    got: () => {
      const { breaker } = opened();
      const probes = permits(breaker, 50, 1000);
      recordAll(probes.slice(0, 2), "abandoned", 1100);
      return { first: probes.length, "after two left": permits(breaker, 50, 1200).length };
    },
    likely:
      "A slot whose probe was abandoned is lost, or was never counted: somebody else may try in its place, and nobody more.",
    lookAt: lookAtRecord,
    hint: 2,
  });
});

test("a success from before the opening is no probe", async () => {
  await check({
    sent: "three slow requests from before the opening succeed at 1,100 ms, in half-open; the state, and how many probes are let through",
    expected: { state: "half-open", probes: 2 },
    got: () => {
      const { breaker, old } = opened(3);
      permits(breaker, 1, 1000);
      recordAll(old, "success", 1100);
      const state = breaker.state(1100).kind as string;
      return { state, probes: permits(breaker, 2, 1100).length };
    },
    likely: "They were sent when the circuit was closed: what they say is about that time.",
    lookAt: "circuit-breaker.ts, CircuitBreaker, whose results count",
    hint: 3,
  });
});

test("a failure from before the opening does not fail the probes", async () => {
  await check({
    sent: "a slow request from before the opening fails at 1,100 ms, in half-open; then three probes succeed",
    expected: { "after the old failure": "half-open", "after the probes": "closed" },
    got: () => {
      const { breaker, old } = opened(1);
      const probes = permits(breaker, 3, 1000);
      recordAll(old, "failure", 1100);
      const after = breaker.state(1100).kind as string;
      recordAll(probes, "success", 1200);
      return { "after the old failure": after, "after the probes": breaker.state(1200).kind as string };
    },
    likely: "A time-out of half a minute ago opens the circuit again, although the cell has recovered.",
    lookAt: "circuit-breaker.ts, CircuitBreaker, whose results count",
    hint: 3,
  });
});

test("each failed half-open phase doubles the wait", async () => {
  await check({
    sent: "a first wait of 1,000 ms: a probe fails at 1,000 ms; the wait that follows",
    expected: 2000,
    got: () => {
      const { breaker } = opened();
      recordAll(permits(breaker, 1, 1000), "failure", 1000);
      return wait(breaker, 1000);
    },
    likely: "The cell has just shown that it needs longer.",
    lookAt: lookAtRecord,
    hint: 3,
  });
});

test("the wait grows up to its most, and begins anew after the circuit has closed", async () => {
  await check({
    sent: "waits from 1,000 ms to at most 4,000 ms: four failed phases, then one that succeeds, then two failures",
    expected: { "after each failed phase": [2000, 4000, 4000, 4000], "after it had closed": 1000 },
    got: () => {
      const { breaker } = opened();
      const waits: number[] = [];
      let nowMs = 1000;
      for (let phase = 0; phase < 4; phase++) {
        recordAll(permits(breaker, 1, nowMs), "failure", nowMs);
        waits.push(wait(breaker, nowMs));
        nowMs += waits.at(-1) ?? 0;
      }
      recordAll(permits(breaker, 3, nowMs), "success", nowMs);
      recordAll(permits(breaker, 2, nowMs), "failure", nowMs);
      return { "after each failed phase": waits, "after it had closed": wait(breaker, nowMs) };
    },
    likely: "The wait does not double, doubles without end, or remembers an outage that is over.",
    lookAt: lookAtRecord,
    hint: 3,
  });
});
