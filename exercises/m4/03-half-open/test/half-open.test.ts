import { test } from "vitest";
import { check, shows } from "../../../support/check.ts";
import { type AttemptOutcome, type BreakerPermit, CircuitBreaker } from "../starter/circuit-breaker.ts";

const settings = {
  consecutiveFailures: 2,
  failureRatio: 0.5,
  windowMs: 10_000,
  minimumRequests: 100,
  waitMs: 1000,
  maxWaitMs: 5000,
  halfOpenProbes: 3,
};
const lookAtAllow = "circuit-breaker.ts, CircuitBreaker.allow, half-open";
const lookAtRecord = "circuit-breaker.ts, CircuitBreaker, what a probe's result does";

const lookAtResults = "circuit-breaker.ts, CircuitBreaker, whose results count";

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

/** A breaker that two failures opened at 0 ms: half-open from 1,000 ms on. `old`: permits from before, still out. */
function opened(old = 0, halfOpenProbes = 3): { breaker: CircuitBreaker; old: BreakerPermit[] } {
  const breaker = new CircuitBreaker({ ...settings, halfOpenProbes });
  const before = permits(breaker, old, 0);
  recordAll(permits(breaker, 2, 0), "failure", 0);
  return { breaker, old: before };
}

/** How long the circuit stays open if it refuses at `atMs`; 0 if it does not. */
function wait(breaker: CircuitBreaker, atMs: number): number {
  const answer = breaker.allow(atMs);
  return answer.allowed ? 0 : answer.retryAfterMs;
}

/** The waits after this many half-open phases, which all fail at their beginning. */
function waitsAfter(phases: number): number[] {
  const { breaker } = opened();
  const waits: number[] = [];
  let nowMs = 1000;
  for (let phase = 0; phase < phases; phase++) {
    recordAll(permits(breaker, 1, nowMs), "failure", nowMs);
    waits.push(wait(breaker, nowMs));
    nowMs += waits.at(-1) ?? 0;
  }
  return waits;
}

const kind = (breaker: CircuitBreaker, atMs: number): string => breaker.state(atMs).kind;

const tooFew = "Fewer than three probes in all: old results took slots, or there are too few.";

/** What it shows when the number of requests that were probes at the same time is not three. */
function notThree(probes: number): string | undefined {
  if (probes > 3) return "More than three requests were probes at the same time.";
  return probes < 3 ? "Fewer than three requests were let through as probes." : undefined;
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
    likely: shows((got) => {
      if (got["at 400 ms"] === 0 || got["at 999 ms"] === 0)
        return "It let a request through before 1,000 ms were over.";
      if (got["at 1,000 ms"] > 0) return "It still refused when 1,000 ms were over.";
      return got["at 400 ms"] === got["at 999 ms"]
        ? "The wait that it names does not get shorter."
        : undefined;
    }),
    lookAt: "circuit-breaker.ts, CircuitBreaker.allow, open",
  });
});

test("half-open lets exactly halfOpenProbes requests through at once", async () => {
  await check({
    sent: "a circuit that opened at 0 ms for 1,000 ms: 50 requests at 1,000 ms; with halfOpenProbes 3, 1 and 7",
    expected: [3, 1, 7],
    got: () => [3, 1, 7].map((probes) => permits(opened(0, probes).breaker, 50, 1000).length),
    likely: shows(([three = 0, one = 0, seven = 0]) => {
      if (three === 50 && one === 50 && seven === 50) return "Half-open let everybody through.";
      if (three === one) return "The number of probes is the same, whatever `halfOpenProbes` is.";
      if (three > 3 || one > 1 || seven > 7) return "More than `halfOpenProbes` requests came through.";
      return "Fewer than `halfOpenProbes` requests came through.";
    }),
    lookAt: lookAtAllow,
    hint: 1,
  });
});

test("a request that half-open turns away is told when to ask again", async () => {
  await check({
    sent: "half-open: 4 requests at 1,000 ms; what the fourth gets",
    expected: "{ allowed: false, retryAfterMs: … } with a number above 0",
    got: () => {
      const { breaker } = opened();
      permits(breaker, 3, 1000);
      const answer = breaker.allow(1000);
      return answer.allowed
        ? { allowed: true }
        : { allowed: answer.allowed, retryAfterMs: answer.retryAfterMs };
    },
    accept: (got) =>
      got.allowed === false && Number.isFinite(got.retryAfterMs) && (got.retryAfterMs ?? 0) > 0,
    likely: shows((got) =>
      got.allowed
        ? "The fourth request was let through while three probes were out."
        : "The request was turned away, but not told a time above 0 ms to wait.",
    ),
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
      return { first: probes.length, "while the third is slow": more, state: kind(breaker, 1200) };
    },
    likely: shows((got) => {
      if (got.first !== 3) return notThree(got.first);
      if (got.state === "closed") return "It closed while the third probe was out.";
      return got["while the third is slow"] === 2
        ? "Others passed while the third probe was out: the two that had succeeded gave up their slots."
        : undefined;
    }),
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
        return kind(breaker, 1100);
      });
    },
    likely: shows((states) => {
      if (states.length < 3) return "Fewer than three probes were let through.";
      if (!states.includes("closed")) return "Three probes succeeded, and the circuit did not close.";
      return "It closed before all three probes had succeeded.";
    }),
    lookAt: lookAtRecord,
  });
});

test("one failed probe opens the circuit again, at once", async () => {
  await check({
    sent: "half-open: three probes; two succeed, then the third fails at 1,700 ms; the state, and how many of 50 requests pass then",
    expected: { state: "open", through: 0 },
    got: () => {
      const { breaker } = opened();
      const probes = permits(breaker, 3, 1000);
      recordAll(probes.slice(0, 2), "success", 1100);
      recordAll(probes.slice(2), "failure", 1700);
      return { state: kind(breaker, 1700), through: permits(breaker, 50, 1700).length };
    },
    likely: shows(({ state, through }) => {
      if (state === "closed") return "It is closed: two successes were enough, or outvoted the failure.";
      if (state === "half-open") return "The phase goes on after a probe has failed.";
      return through > 0 ? "It says that it is open, and lets requests through." : undefined;
    }),
    lookAt: lookAtRecord,
    hint: 3,
  });
});

test("the new wait begins at the failure, and the next phase with no success", async () => {
  await check({
    sent: "half-open: three probes; two succeed, then the third fails at 1,700 ms; 50 requests just before and at the end of 2,000 ms; then two probes succeed",
    expected: { "at 3,699 ms": 0, "at 3,700 ms": 3, "after two successes": "half-open" },
    got: () => {
      const { breaker } = opened();
      const probes = permits(breaker, 3, 1000);
      recordAll(probes.slice(0, 2), "success", 1100);
      recordAll(probes.slice(2), "failure", 1700);
      const before = permits(breaker, 50, 3699).length;
      const next = permits(breaker, 50, 3700);
      recordAll(next.slice(0, 2), "success", 3700);
      return {
        "at 3,699 ms": before,
        "at 3,700 ms": next.length,
        "after two successes": kind(breaker, 3700),
      };
    },
    likely: shows((got) => {
      if (got["at 3,699 ms"] > 0)
        return "Requests passed too early: the wait is too short, began before the failure, or the circuit never opened.";
      if (got["at 3,700 ms"] === 0 && got["after two successes"] === "open")
        return "Nobody passed when 2,000 ms were over: the wait is too long, or began later.";
      if (got["at 3,700 ms"] !== 3) return notThree(got["at 3,700 ms"]);
      return got["after two successes"] === "closed"
        ? "Two successes closed it: those of the last phase counted with them, or two are enough."
        : undefined;
    }),
    lookAt: lookAtRecord,
    hint: 3,
  });
});

test("an abandoned probe is no failure", async () => {
  await check({
    sent: "half-open: the clients of two probes leave; the state",
    expected: "half-open",
    got: () => {
      const { breaker } = opened();
      recordAll(permits(breaker, 2, 1000), "abandoned", 1100);
      return kind(breaker, 1100);
    },
    likely: shows((state) =>
      state === "open"
        ? "Two clients that left opened the circuit: they counted as failures."
        : "Two clients that left closed the circuit: they counted as successes.",
    ),
    lookAt: lookAtRecord,
    hint: 2,
  });
});

test("an abandoned probe is no success", async () => {
  await check({
    sent: "half-open: the clients of three probes leave; and in another half-open phase, two leave and one probe succeeds; the states",
    expected: ["half-open", "half-open"],
    got: () => {
      const all = opened().breaker;
      recordAll(permits(all, 3, 1000), "abandoned", 1100);
      const two = opened().breaker;
      const probes = permits(two, 3, 1000);
      recordAll(probes.slice(0, 2), "abandoned", 1100);
      recordAll(probes.slice(2), "success", 1100);
      return [kind(all, 1100), kind(two, 1100)];
    },
    likely: shows((states) => {
      if (states.includes("open")) return "Clients that left opened the circuit: they counted as failures.";
      return states[0] === "closed"
        ? "Three clients that left closed the circuit: they counted as successes."
        : "One success closed the circuit: clients that left counted with it, or one is enough.";
    }),
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
    likely: shows((got) => {
      if (got.first !== 3) return notThree(got.first);
      if (got["after two left"] === 0)
        return "Nobody could take the place of the two: they freed no slot, or the circuit is no longer half-open.";
      return got["after two left"] === 1
        ? "Only one of two slots came back."
        : "More than two took the place of two.";
    }),
    lookAt: lookAtRecord,
    hint: 2,
  });
});

test("a success and an abandoned probe free one slot together", async () => {
  await check({
    sent: "half-open: 50 requests, one probe succeeds, the client of another one leaves; then 50 requests more",
    expected: { first: 3, "after both": 1 },
    got: () => {
      const { breaker } = opened();
      const probes = permits(breaker, 50, 1000);
      recordAll(probes.slice(0, 1), "success", 1100);
      recordAll(probes.slice(1, 2), "abandoned", 1100);
      return { first: probes.length, "after both": permits(breaker, 50, 1200).length };
    },
    likely: shows((got) => {
      if (got.first !== 3) return notThree(got.first);
      if (got["after both"] === 50) return "After one success everybody came through.";
      if (got["after both"] > 2) return "More slots were free than two probes had held.";
      if (got["after both"] === 2)
        return "Two slots were free: the probe that succeeded also gave up its own.";
      return "No slot was free: the client that left freed none, the success took another one, or the phase is over.";
    }),
    lookAt: lookAtRecord,
    hint: 2,
  });
});

test("a success from before the opening is no probe", async () => {
  await check({
    sent: "three slow requests from before the opening succeed at 1,100 ms, in half-open; the state, and how many more probes are let through beside the first",
    expected: { state: "half-open", probes: 2 },
    got: () => {
      const { breaker, old } = opened(3);
      permits(breaker, 1, 1000);
      recordAll(old, "success", 1100);
      const state = kind(breaker, 1100);
      return { state, probes: permits(breaker, 50, 1100).length };
    },
    likely: shows(({ state, probes }) => {
      if (state === "closed") return "Successes from before the opening closed the circuit.";
      if (probes > 2) return notThree(1 + probes);
      return state === "half-open" ? tooFew : undefined;
    }),
    lookAt: lookAtResults,
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
      const after = kind(breaker, 1100);
      recordAll(probes, "success", 1200);
      return { "after the old failure": after, "after the probes": kind(breaker, 1200) };
    },
    likely: shows((got) =>
      got["after the old failure"] === "open"
        ? "A failure from before the opening ended this phase, although it was no probe."
        : undefined,
    ),
    lookAt: lookAtResults,
    hint: 3,
  });
});

test("a client that leaves from before the opening gives no slot", async () => {
  await check({
    sent: "half-open: 50 requests, then the clients of three slow requests from before the opening leave; then 50 requests more",
    expected: { first: 3, "after three old ones left": 0 },
    got: () => {
      const { breaker, old } = opened(3);
      const first = permits(breaker, 50, 1000).length;
      recordAll(old, "abandoned", 1100);
      return { first, "after three old ones left": permits(breaker, 50, 1200).length };
    },
    likely: shows((got) => notThree(got.first) ?? "Clients that had no slot of this phase freed some."),
    lookAt: lookAtResults,
    hint: 3,
  });
});

test("results of probes from an earlier phase change nothing", async () => {
  await check({
    sent: "half-open: three probes, of which one fails; in the next phase one probe is out, and the other two of the first phase succeed, or fail; the state, and how many more probes are let through",
    expected: { success: ["half-open", 2], failure: ["half-open", 2] },
    got: () => {
      const nextPhase = (outcome: AttemptOutcome): [string, number] => {
        const { breaker } = opened();
        const [first, ...others] = permits(breaker, 3, 1000);
        first?.record("failure", 1000);
        permits(breaker, 1, 10_000);
        recordAll(others, outcome, 10_000);
        return [kind(breaker, 10_000), permits(breaker, 50, 10_000).length];
      };
      return { success: nextPhase("success"), failure: nextPhase("failure") };
    },
    likely: shows(({ success, failure }) => {
      if (failure[0] === "open") return "A failure of the first phase ended the next one.";
      if (success[0] === "closed") return "Successes of the first phase closed the circuit in the next one.";
      if (Number(success[1]) > 2) return notThree(1 + Number(success[1]));
      return success[0] === "half-open" && Number(success[1]) < 2 ? tooFew : undefined;
    }),
    lookAt: lookAtResults,
    hint: 3,
  });
});

test("a second failed probe changes nothing any more", async () => {
  await check({
    sent: "half-open: three probes; one fails at 1,000 ms and opens the circuit; how long the wait still is at 1,500 ms, without and with another probe that fails then",
    expected: "the same twice",
    got: () =>
      [false, true].map((failsToo) => {
        const { breaker } = opened();
        const [first, second] = permits(breaker, 3, 1000);
        first?.record("failure", 1000);
        if (failsToo) second?.record("failure", 1500);
        return wait(breaker, 1500);
      }),
    accept: ([without, withSecond]) => without === withSecond,
    likely: shows(([without = 0, withSecond = 0]) =>
      withSecond > without
        ? "The second failure made the wait longer: it doubled it again, or began it anew."
        : "The second failure made the wait shorter.",
    ),
    lookAt: lookAtResults,
    hint: 3,
  });
});

test("failures from before the opening do not count in a circuit that has closed again", async () => {
  await check({
    sent: "three probes succeed, and the circuit closes; then three slow requests from before the opening fail (two failures in a row open it)",
    expected: ["closed", "closed"],
    got: () => {
      const { breaker, old } = opened(3);
      recordAll(permits(breaker, 3, 1000), "success", 1100);
      const closed = kind(breaker, 1100);
      recordAll(old, "failure", 1200);
      return [closed, kind(breaker, 1200)];
    },
    likely: shows(([closed, after]) => {
      if (closed !== "closed") return "Three probes succeeded, and the circuit did not close.";
      return after === "open"
        ? "Failures from before the opening opened the circuit that has closed since."
        : undefined;
    }),
    lookAt: lookAtResults,
    hint: 3,
  });
});

test("only the first result of a permit counts", async () => {
  await check({
    sent: "half-open: one probe records success three times; the state",
    expected: "half-open",
    got: () => {
      const { breaker } = opened();
      for (const probe of permits(breaker, 1, 1000)) {
        for (let i = 0; i < 3; i++) probe.record("success", 1100);
      }
      return kind(breaker, 1100);
    },
    likely: shows((state) =>
      state === "closed"
        ? "One probe closed the circuit: its result counted three times, or one success is enough."
        : undefined,
    ),
    lookAt: "circuit-breaker.ts, NumberedPermit",
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
    likely: shows((waitMs) => {
      if (waitMs === 0) return "The failed probe did not open the circuit.";
      return waitMs === 1000 ? "The wait stayed as long as it was." : undefined;
    }),
    lookAt: lookAtRecord,
    hint: 3,
  });
});

test("the wait does not grow without end", async () => {
  await check({
    sent: "waits from 1,000 ms to at most 5,000 ms: the waits after the 11th and the 12th failed phase in a row",
    expected: "two equal numbers",
    got: () => waitsAfter(12).slice(-2),
    accept: ([last, latest]) => last === latest,
    likely: shows(([last = 0, latest = 0]) =>
      latest > last ? "The wait still grew in the 12th phase." : undefined,
    ),
    lookAt: lookAtRecord,
    hint: 3,
  });
});

test("the wait grows up to maxWaitMs, and no further", async () => {
  await check({
    sent: "waits from 1,000 ms to at most 5,000 ms: the wait after each of four failed phases in a row",
    expected: [2000, 4000, 5000, 5000],
    got: () => waitsAfter(4),
    likely: shows((waits) => {
      if (waits.includes(0)) return "A failed phase did not open the circuit again.";
      if (Math.max(...waits) > 5000) return "The wait grew past `maxWaitMs`.";
      if (waits[0] === waits[3]) return "The wait did not grow from one failed phase to the next.";
      return waits[2] === waits[3] ? "The wait stopped growing before it was `maxWaitMs`." : undefined;
    }),
    lookAt: lookAtRecord,
    hint: 3,
  });
});

test("after the circuit has closed, the wait begins anew", async () => {
  await check({
    sent: "a first wait of 1,000 ms: a failed phase, then one that succeeds, then two failures in a row; the wait that follows",
    expected: 1000,
    got: () => {
      const { breaker } = opened();
      recordAll(permits(breaker, 1, 1000), "failure", 1000);
      recordAll(permits(breaker, 3, 3000), "success", 3000);
      recordAll(permits(breaker, 2, 3000), "failure", 3000);
      return wait(breaker, 3000);
    },
    likely: shows((waitMs) => {
      if (waitMs === 0) return "Two failures in a row did not open the circuit.";
      return waitMs > 1000 ? "The wait is as if the earlier outage were still going on." : undefined;
    }),
    lookAt: lookAtRecord,
    hint: 3,
  });
});
