import { test } from "vitest";
import { check } from "../../../support/check.ts";
import { type AttemptOutcome, CircuitBreaker } from "../starter/circuit-breaker.ts";

const settings = {
  consecutiveFailures: 5,
  failureRatio: 0.5,
  windowMs: 10_000,
  minimumRequests: 20,
  waitMs: 1000,
  maxWaitMs: 4000,
  halfOpenProbes: 1,
};
const lookAt = "circuit-breaker.ts, CircuitBreaker.#recordClosed";

const outcomes: Readonly<Record<string, AttemptOutcome>> = { "+": "success", "-": "failure", a: "abandoned" };

/** One request after another, `stepMs` apart: `+` success, `-` failure, `a` abandoned. How many were let through. */
function requests(breaker: CircuitBreaker, results: string, startMs = 0, stepMs = 0): number {
  let through = 0;
  for (const [index, result] of [...results].entries()) {
    const nowMs = startMs + index * stepMs;
    const answer = breaker.allow(nowMs);
    if (!answer.allowed) continue;
    through += 1;
    answer.record(outcomes[result] ?? "abandoned", nowMs);
  }
  return through;
}

/** After how many of these requests the circuit opened. */
function opensAfter(results: string, stepMs = 0): number | "never" {
  const breaker = new CircuitBreaker(settings);
  for (const [index, result] of [...results].entries()) {
    requests(breaker, result, index * stepMs);
    if (breaker.state(index * stepMs).kind === "open") return index + 1;
  }
  return "never";
}

const rules = "5 in a row, or half of at least 20 in 10 s";

test("one failure on a quiet cell leaves the circuit closed", async () => {
  await check({
    sent: `${rules}: one request, which fails`,
    expected: "never",
    got: () => opensAfter("-"),
    likely: "One failure in one request is a share of 100 %.",
    lookAt,
    hint: 1,
  });
});

test("the fifth failure in a row opens the circuit, and not the fourth", async () => {
  await check({
    sent: `${rules}: after two successes, failures only, one every 30 s. After which request it opens`,
    expected: 7,
    got: () => opensAfter("++-------", 30_000),
    likely: "A cell with few requests never has enough of them in the window for a share.",
    lookAt,
    hint: 2,
  });
});

test("a success ends the row of failures", async () => {
  await check({
    sent: `${rules}: four failures, a success, four failures, a success, one request every 30 s`,
    expected: "never",
    got: () => opensAfter("----+----+", 30_000),
    likely: "Failures of before the success still count as in a row.",
    lookAt,
    hint: 2,
  });
});

test("clients that leave open no circuit", async () => {
  await check({
    sent: `${rules}: three failures, then 40 requests whose clients leave`,
    expected: "never",
    got: () => opensAfter(`---${"a".repeat(40)}`),
    likely: "What a client does says nothing about the cell.",
    lookAt,
    hint: 3,
  });
});

test("a client that leaves does not end the row of failures", async () => {
  await check({
    sent: `${rules}: failures, and after every two of them a client that leaves. After which request it opens`,
    expected: 7,
    got: () => opensAfter("--a--a--a--a"),
    likely: "Whoever left has not seen an answer, so that there was no success.",
    lookAt,
    hint: 3,
  });
});

test("the share of failures counts from the minimum of requests on", async () => {
  await check({
    sent: `${rules}: two failures for each success. After which request it opens`,
    expected: 20,
    got: () => opensAfter("--+".repeat(20)),
    likely: "The share was believed before there were enough requests, or the twentieth does not count.",
    lookAt,
    hint: 1,
  });
});

test("half of the requests failing opens the circuit, though never five in a row", async () => {
  await check({
    sent: `${rules}: 100 requests, success and failure in turn. After which request it opens`,
    expected: 20,
    got: () => opensAfter("+-".repeat(50)),
    likely: "Only failures in a row count, and a success comes between all of them.",
    lookAt,
    hint: 2,
  });
});

test("what was good long ago does not outweigh the failures of now", async () => {
  await check({
    sent: `${rules}: 1,000 successes in the first second; a minute later, two failures for each success`,
    expected: "open",
    got: () => {
      const breaker = new CircuitBreaker(settings);
      requests(breaker, "+".repeat(1000), 0, 1);
      requests(breaker, "--+".repeat(20), 60_000);
      return breaker.state(60_000).kind as string;
    },
    likely: "The share is that of the whole past and not that of the window.",
    lookAt,
    hint: 2,
  });
});

test("failures that have left the window do not count", async () => {
  await check({
    sent: `${rules}: six failures among nine requests; a minute later twelve requests, success and failure in turn`,
    expected: { "at first": "closed", "a minute later": "closed" },
    got: () => {
      const breaker = new CircuitBreaker(settings);
      requests(breaker, "--+--+--+", 0);
      const first = breaker.state(0).kind as string;
      requests(breaker, "+-".repeat(6), 60_000);
      return { "at first": first, "a minute later": breaker.state(60_000).kind as string };
    },
    likely: "Failures of a minute ago were added to those of now.",
    lookAt,
    hint: 2,
  });
});

test("an open circuit refuses at once, and its wait counts from the last failure", async () => {
  await check({
    sent: `${rules}: failures only, one every 100 ms; then one request 600 ms after the last that was let through`,
    expected: { allowed: false, retryAfterMs: 400 },
    got: () => {
      const breaker = new CircuitBreaker(settings);
      let last = 0;
      for (let i = 0; i < 9; i++) if (requests(breaker, "-", i * 100) === 1) last = i * 100;
      const answer = breaker.allow(last + 600);
      return answer.allowed
        ? { allowed: true }
        : { allowed: answer.allowed, retryAfterMs: answer.retryAfterMs };
    },
    likely: "The moment at which the circuit opened is not that of the failure that opened it.",
    lookAt: "circuit-breaker.ts, CircuitBreaker, the transition to open",
  });
});

test("a circuit that has closed again starts with an empty window", async () => {
  await check({
    sent: `${rules}: opened by the share, closed again by a probe 1 s later, then one failure`,
    expected: ["open", "closed", "closed"],
    got: () => {
      const breaker = new CircuitBreaker(settings);
      const states: string[] = [];
      requests(breaker, "--+".repeat(20), 0);
      states.push(breaker.state(0).kind);
      requests(breaker, "+", 1000);
      states.push(breaker.state(1000).kind);
      requests(breaker, "-", 1001);
      states.push(breaker.state(1001).kind);
      return states;
    },
    likely: "The failures that opened the circuit are still in the window, and open it again.",
    lookAt: "circuit-breaker.ts, CircuitBreaker.#closeIfProven",
    hint: 3,
  });
});
