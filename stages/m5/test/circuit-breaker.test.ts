import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type AttemptOutcome,
  type BreakerPermit,
  type BreakerState,
  CircuitBreaker,
} from "../src/circuit-breaker.ts";
import { type CircuitBreakerSettings, DEFAULT_CIRCUIT_BREAKER } from "../src/resilience-settings.ts";

function breakerWith(overrides: Partial<CircuitBreakerSettings> = {}) {
  const transitions: string[] = [];
  const settings = { ...DEFAULT_CIRCUIT_BREAKER, ...overrides };
  const breaker = new CircuitBreaker(settings, (to, from, nowMs) => {
    transitions.push(`${nowMs}: ${from.kind} → ${to.kind}`);
  });
  return { breaker, transitions, settings };
}

function permitFrom(breaker: CircuitBreaker, nowMs: number): BreakerPermit {
  const response = breaker.allow(nowMs);
  if (!response.allowed) throw new Error(`refused at ${nowMs}, retry after ${response.retryAfterMs} ms`);
  return response;
}

function attempt(breaker: CircuitBreaker, outcome: AttemptOutcome, nowMs: number): void {
  permitFrom(breaker, nowMs).record(outcome, nowMs);
}

/** Opens a breaker with the default settings at `nowMs`. */
function open(breaker: CircuitBreaker, nowMs: number): void {
  for (let i = 0; i < 5; i++) attempt(breaker, "failure", nowMs);
  expect(breaker.state(nowMs).kind).toBe("open");
}

describe("closed", () => {
  test("opens at the fifth failure in a row", () => {
    const { breaker, transitions } = breakerWith();
    for (let i = 0; i < 4; i++) attempt(breaker, "failure", i);
    expect(breaker.state(4)).toEqual({ kind: "closed", consecutiveFailures: 4 });
    attempt(breaker, "failure", 4);
    expect(breaker.state(4)).toEqual({ kind: "open", openedAtMs: 4, waitMs: 5000 });
    expect(transitions).toEqual(["4: closed → open"]);
  });

  test("a success between failures starts the count again", () => {
    const { breaker } = breakerWith();
    for (let i = 0; i < 4; i++) attempt(breaker, "failure", 0);
    attempt(breaker, "success", 0);
    for (let i = 0; i < 4; i++) attempt(breaker, "failure", 0);
    expect(breaker.state(0)).toEqual({ kind: "closed", consecutiveFailures: 4 });
  });

  test("an abandoned attempt neither counts as a failure nor breaks a row of them", () => {
    const { breaker } = breakerWith();
    for (let i = 0; i < 100; i++) attempt(breaker, "abandoned", 0);
    for (let i = 0; i < 4; i++) attempt(breaker, "failure", 0);
    attempt(breaker, "abandoned", 0);
    attempt(breaker, "failure", 0);
    expect(breaker.state(0).kind).toBe("open");
  });

  test.each<{ title: string; outcomes: string; everyMs: number; kind: BreakerState["kind"] }>([
    { title: "half of 20 failed", outcomes: "SFSFSFSFSFSFSFSFSFSF", everyMs: 10, kind: "open" },
    { title: "9 of 20 failed", outcomes: "SFSFSFSFSFSFSFSFSFSS", everyMs: 10, kind: "closed" },
    {
      title: "half of 18 failed: too few to tell",
      outcomes: "SFSFSFSFSFSFSFSFSF",
      everyMs: 10,
      kind: "closed",
    },
    {
      title: "half of 20 failed, but over a minute",
      outcomes: "SFSFSFSFSFSFSFSFSFSF",
      everyMs: 3000,
      kind: "closed",
    },
  ])("failure ratio: $title → $kind", ({ outcomes, everyMs, kind }) => {
    const { breaker } = breakerWith({ consecutiveFailures: 1000 });
    let nowMs = 0;
    for (const letter of outcomes) {
      nowMs += everyMs;
      attempt(breaker, letter === "S" ? "success" : "failure", nowMs);
    }
    expect(breaker.state(nowMs).kind).toBe(kind);
  });

  test("the second report of a permit is ignored", () => {
    const { breaker } = breakerWith();
    const permit = permitFrom(breaker, 0);
    for (let i = 0; i < 10; i++) permit.record("failure", 0);
    expect(breaker.state(0)).toEqual({ kind: "closed", consecutiveFailures: 1 });
  });
});

describe("open", () => {
  test("refuses everything for the wait and says how long it still is", () => {
    const { breaker } = breakerWith();
    open(breaker, 1000);
    expect(breaker.allow(1000)).toEqual({ allowed: false, retryAfterMs: 5000 });
    expect(breaker.allow(5999.5)).toEqual({ allowed: false, retryAfterMs: 1 });
    expect(breaker.allow(0), "a clock that went back does not make the wait longer").toEqual({
      allowed: false,
      retryAfterMs: 5000,
    });
    expect(breaker.allow(6000).allowed).toBe(true);
  });

  test("ignores results of attempts from before it opened", () => {
    const { breaker, transitions } = breakerWith();
    const late = Array.from({ length: 20 }, () => permitFrom(breaker, 0));
    open(breaker, 0);
    for (const permit of late) permit.record("failure", 100);
    expect(breaker.state(100)).toEqual({ kind: "open", openedAtMs: 0, waitMs: 5000 });
    expect(transitions).toHaveLength(1);
  });

  test("looking at the state causes no transition", () => {
    const { breaker, transitions } = breakerWith();
    open(breaker, 0);
    expect(breaker.state(5000)).toEqual({ kind: "half-open", waitMs: 5000, probesInFlight: 0, successes: 0 });
    expect(breaker.state(4999).kind).toBe("open");
    expect(transitions).toEqual(["0: closed → open"]);
    permitFrom(breaker, 5000);
    expect(transitions).toEqual(["0: closed → open", "5000: open → half-open"]);
  });
});

describe("half-open", () => {
  test("lets exactly three of a hundred simultaneous requests through", () => {
    const { breaker } = breakerWith();
    open(breaker, 0);
    const responses = Array.from({ length: 100 }, () => breaker.allow(5000));
    expect(responses.filter(({ allowed }) => allowed)).toHaveLength(3);
    expect(responses[99]).toEqual({ allowed: false, retryAfterMs: 5000 });
  });

  test("a success does not let a further probe in; the third one closes", () => {
    const { breaker, transitions } = breakerWith();
    open(breaker, 0);
    const probes = [permitFrom(breaker, 5000), permitFrom(breaker, 5000), permitFrom(breaker, 5000)];
    probes[0]?.record("success", 5001);
    expect(breaker.allow(5001).allowed).toBe(false);
    probes[1]?.record("success", 5002);
    expect(breaker.state(5002)).toEqual({ kind: "half-open", waitMs: 5000, probesInFlight: 1, successes: 2 });
    probes[2]?.record("success", 5003);
    expect(breaker.state(5003)).toEqual({ kind: "closed", consecutiveFailures: 0 });
    expect(transitions.at(-1)).toBe("5003: half-open → closed");
  });

  test("one failure reopens with the wait doubled, up to its cap, and closing resets it", () => {
    const { breaker } = breakerWith({ waitMs: 5000, maxWaitMs: 18_000, halfOpenProbes: 1 });
    open(breaker, 0);
    let nowMs = 0;
    const waits: number[] = [];
    for (let i = 0; i < 4; i++) {
      const state = breaker.state(nowMs);
      if (state.kind !== "open") throw new Error(`expected an open circuit, got ${state.kind}`);
      waits.push(state.waitMs);
      nowMs += state.waitMs;
      expect(breaker.state(nowMs - 1).kind).toBe("open");
      attempt(breaker, "failure", nowMs);
    }
    expect(waits).toEqual([5000, 10_000, 18_000, 18_000]);
    attempt(breaker, "success", nowMs + 18_000);
    open(breaker, nowMs + 18_000);
    expect(breaker.state(nowMs + 18_000)).toMatchObject({ waitMs: 5000 });
  });

  test("results of the other probes do not count once one of them has failed", () => {
    const { breaker, transitions } = breakerWith();
    open(breaker, 0);
    const probes = [permitFrom(breaker, 5000), permitFrom(breaker, 5000), permitFrom(breaker, 5000)];
    probes[0]?.record("failure", 5001);
    probes[1]?.record("failure", 5002);
    probes[2]?.record("success", 5003);
    expect(breaker.state(5003)).toEqual({ kind: "open", openedAtMs: 5001, waitMs: 10_000 });
    expect(transitions).toHaveLength(3);
    // A success from the first half-open phase must not count in the second one either.
    permitFrom(breaker, 15_001);
    probes[2]?.record("success", 15_002);
    expect(breaker.state(15_002)).toMatchObject({ kind: "half-open", successes: 0, probesInFlight: 1 });
  });

  test("a client that leaves gives its probe back", () => {
    const { breaker } = breakerWith();
    open(breaker, 0);
    const probes = [permitFrom(breaker, 5000), permitFrom(breaker, 5000), permitFrom(breaker, 5000)];
    probes[1]?.record("abandoned", 5001);
    probes[1]?.record("abandoned", 5001);
    expect(breaker.state(5001)).toMatchObject({ kind: "half-open", probesInFlight: 2, successes: 0 });
    expect(breaker.allow(5001).allowed).toBe(true);
    expect(breaker.allow(5001).allowed).toBe(false);
  });

  test("the failures that opened it are forgotten when it closes", () => {
    const { breaker } = breakerWith({ consecutiveFailures: 1000, windowMs: 60_000, halfOpenProbes: 1 });
    for (let i = 0; i < 20; i++) attempt(breaker, "failure", 0);
    expect(breaker.state(0).kind).toBe("open");
    attempt(breaker, "success", 5000);
    attempt(breaker, "failure", 5001);
    expect(breaker.state(5001).kind).toBe("closed");
  });
});

describe("reconfigure", () => {
  test("keeps state and count, and the new thresholds hold at once", () => {
    const { breaker, settings } = breakerWith();
    for (let i = 0; i < 3; i++) attempt(breaker, "failure", 0);
    breaker.reconfigure({ ...settings, consecutiveFailures: 4 }, 0);
    attempt(breaker, "failure", 0);
    expect(breaker.state(0).kind).toBe("open");
    breaker.reconfigure({ ...settings, waitMs: 1 }, 0);
    expect(breaker.allow(4999).allowed, "a push does not end a wait that has begun").toBe(false);
  });

  test("fewer probes than have already succeeded close the circuit instead of wedging it", () => {
    const { breaker, settings, transitions } = breakerWith();
    open(breaker, 0);
    attempt(breaker, "success", 5000);
    attempt(breaker, "success", 5000);
    breaker.reconfigure({ ...settings, halfOpenProbes: 2 }, 5100);
    expect(transitions.at(-1)).toBe("5100: half-open → closed");
    expect(breaker.allow(5100).allowed).toBe(true);
  });

  test("a new window length starts an empty window", () => {
    const { breaker, settings } = breakerWith({ consecutiveFailures: 1000 });
    for (let i = 0; i < 19; i++) attempt(breaker, "failure", 0);
    breaker.reconfigure({ ...settings, windowMs: 30_000 }, 0);
    attempt(breaker, "failure", 0);
    expect(breaker.state(0).kind).toBe("closed");
  });
});

describe("properties", () => {
  type Step =
    | { kind: "advance"; ms: number }
    | { kind: "allow" }
    | { kind: "record"; which: number; outcome: AttemptOutcome };
  const outcome = fc.constantFrom<AttemptOutcome>("success", "failure", "failure", "abandoned");
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 1, arbitrary: fc.nat(1500).map((ms): Step => ({ kind: "advance", ms })) },
    { weight: 3, arbitrary: fc.constant<Step>({ kind: "allow" }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("record" as const), which: fc.nat(20), outcome }) },
  );
  const settings = fc.record({
    consecutiveFailures: fc.integer({ min: 1, max: 6 }),
    failureRatio: fc.integer({ min: 5, max: 100 }).map((percent) => percent / 100),
    windowMs: fc.integer({ min: 10, max: 5000 }),
    minimumRequests: fc.integer({ min: 1, max: 20 }),
    waitMs: fc.integer({ min: 1, max: 1000 }),
    maxWaitMs: fc.integer({ min: 1000, max: 4000 }),
    halfOpenProbes: fc.integer({ min: 1, max: 4 }),
  });
  const legal = new Set(["closed → open", "open → half-open", "half-open → open", "half-open → closed"]);

  test("only legal transitions; half-open has at most K probes out and lets at most K through that were not abandoned", () => {
    let halfOpenPhases = 0;
    fc.assert(
      fc.property(settings, fc.array(step, { maxLength: 300, size: "max" }), (limits, steps) => {
        let nowMs = 0;
        let inHalfOpen = false;
        let phase = { granted: 0, abandoned: 0, outstanding: new Set<BreakerPermit>() };
        const breaker = new CircuitBreaker(limits, (to, from, atMs) => {
          expect(legal).toContain(`${from.kind} → ${to.kind}`);
          expect(atMs).toBe(nowMs);
          if (to.kind === "open") {
            expect(to.waitMs).toBeLessThanOrEqual(limits.maxWaitMs);
            expect(to.waitMs).toBeGreaterThanOrEqual(Math.min(limits.waitMs, limits.maxWaitMs));
          }
          inHalfOpen = to.kind === "half-open";
          if (inHalfOpen) halfOpenPhases += 1;
          phase = { granted: 0, abandoned: 0, outstanding: new Set() };
        });
        const out: BreakerPermit[] = [];
        for (const each of steps) {
          if (each.kind === "advance") nowMs += each.ms;
          else if (each.kind === "allow") {
            const viewBefore = breaker.state(nowMs).kind;
            const response = breaker.allow(nowMs);
            if (viewBefore === "closed") expect(response.allowed).toBe(true);
            if (viewBefore === "open") expect(response.allowed).toBe(false);
            if (response.allowed) {
              out.push(response);
              phase.granted += 1;
              phase.outstanding.add(response);
            } else expect(response.retryAfterMs).toBeGreaterThan(0);
          } else if (out.length > 0) {
            const [permit] = out.splice(each.which % out.length, 1);
            if (permit !== undefined) {
              const ofThisPhase = phase.outstanding.delete(permit);
              if (ofThisPhase && each.outcome === "abandoned") phase.abandoned += 1;
              permit.record(each.outcome, nowMs);
            }
          }
          // Before the first request after the wait, the view says half-open and the phase has not begun.
          const state = breaker.state(nowMs);
          if (state.kind === "half-open" && inHalfOpen) {
            expect(state.probesInFlight).toBe(phase.outstanding.size);
            expect(phase.granted - phase.abandoned).toBeLessThanOrEqual(limits.halfOpenProbes);
          }
        }
      }),
    );
    expect(halfOpenPhases, "the generator must reach half-open").toBeGreaterThan(50);
  });

  test("it always comes back: once the cell answers again, waits and probes lead to closed", () => {
    fc.assert(
      fc.property(settings, fc.array(step, { maxLength: 200, size: "max" }), (limits, steps) => {
        const breaker = new CircuitBreaker(limits);
        const out: BreakerPermit[] = [];
        let nowMs = 0;
        for (const each of steps) {
          if (each.kind === "advance") nowMs += each.ms;
          else if (each.kind === "allow") {
            const response = breaker.allow(nowMs);
            if (response.allowed) out.push(response);
          } else out.splice(each.which, 1)[0]?.record(each.outcome, nowMs);
        }
        // Every permit is recorded in the end, as its contract asks; then the cell works again.
        for (const permit of out) permit.record("abandoned", nowMs);
        nowMs += limits.maxWaitMs;
        for (let i = 0; i < limits.halfOpenProbes; i++) attempt(breaker, "success", nowMs);
        expect(breaker.state(nowMs).kind).toBe("closed");
      }),
    );
  });
});
