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
    sent: `${rules}: one request, which fails. After which request it opens`,
    expected: "never",
    got: () => opensAfter("-"),
    likely: "One failure out of one request is a ratio of 100 %, but one request is not 20.",
    lookAt,
    hint: 1,
  });
});

test("the fifth failure in a row opens the circuit, and not the fourth", async () => {
  await check({
    sent: `${rules}: after two successes, failures only, one every 30 s. After which request it opens`,
    expected: 7,
    got: () => opensAfter("++-------", 30_000),
    likely:
      "With one request every 30 s, the window never holds 20 of them: only the row can open the circuit.",
    lookAt,
    hint: 2,
  });
});

test("a success ends the row of failures", async () => {
  await check({
    sent: `${rules}: four failures, a success, four failures, a success, one request every 30 s. After which request it opens`,
    expected: "never",
    got: () => opensAfter("----+----+", 30_000),
    likely: "Failures from before the success still count as in a row.",
    lookAt,
    hint: 2,
  });
});

test("clients that leave open no circuit", async () => {
  await check({
    sent: `${rules}: three failures, then 40 requests whose clients leave. After which request it opens`,
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
    likely: "A client that left has not seen a success: the fifth failure in a row is request 7.",
    lookAt,
    hint: 3,
  });
});

test("clients that leave do not change the ratio", async () => {
  await check({
    sent: `${rules}: a success, a failure, a client that leaves, over and over. After which request it opens`,
    expected: 29,
    got: () => opensAfter("+-a".repeat(40)),
    likely:
      "Without the clients that left, half of the requests fail, and request 29 is the twentieth of them.",
    lookAt,
    hint: 3,
  });
});

test("the ratio counts from the minimum of requests on", async () => {
  await check({
    sent: `${rules}: two failures for each success. After which request it opens`,
    expected: 20,
    got: () => opensAfter("--+".repeat(20)),
    likely: "Request 20 fails, and with it 14 of 20. Before it there are fewer than 20 requests.",
    lookAt,
    hint: 1,
  });
});

test("half of the requests failing opens the circuit, though never five in a row", async () => {
  await check({
    sent: `${rules}: 100 requests, success and failure in turn. After which request it opens`,
    expected: 20,
    got: () => opensAfter("+-".repeat(50)),
    likely:
      "Request 20 fails: exactly 10 of exactly 20, which is half of at least 20. Both limits are reached.",
    lookAt,
    hint: 2,
  });
});

test("fewer failures than the ratio leave the circuit closed", async () => {
  await check({
    sent: `${rules}: 300 requests in 3 s, of which every third fails. After which request it opens`,
    expected: "never",
    got: () => opensAfter("++-".repeat(100), 10),
    likely: "A third is less than half, however many requests there are.",
    lookAt,
    hint: 2,
  });
});

test("successes of long ago do not outweigh the failures of now", async () => {
  await check({
    sent: `${rules}: 1,000 successes in the first second; a minute later, two failures for each success`,
    expected: "open",
    got: () => {
      const breaker = new CircuitBreaker(settings);
      requests(breaker, "+".repeat(1000), 0, 1);
      requests(breaker, "--+".repeat(20), 60_000);
      return breaker.state(60_000).kind as string;
    },
    likely: "A minute later, only what is in the window counts, and two thirds of that failed.",
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
    likely: "There were never 20 requests within 10 s. Old ones were added to those of now.",
    lookAt,
    hint: 2,
  });
});

test("the window ends now, wherever it began", async () => {
  await check({
    sent: `${rules}: success and failure in turn, one request every 400 ms from 6 s on. When it opens`,
    expected: "at 13600 ms",
    got: () => {
      const breaker = new CircuitBreaker(settings);
      for (let request = 0; request < 60; request++) {
        const atMs = 6_000 + request * 400;
        requests(breaker, request % 2 === 0 ? "+" : "-", atMs);
        if (breaker.state(atMs).kind === "open") return `at ${atMs} ms`;
      }
      return "never";
    },
    likely:
      "The twentieth request comes at 13,600 ms, 7.6 s after the first, and half of them failed. A window that starts again at 10 s has forgotten half of them.",
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
    likely: "The circuit opens at the failure that opens it, for 1,000 ms.",
    lookAt: "circuit-breaker.ts, CircuitBreaker, the transition to open",
  });
});

test("a circuit that has closed again starts with an empty window", async () => {
  await check({
    sent: `${rules}: opened by the ratio, closed again by a probe 1 s later, then six times two failures and a success`,
    expected: {
      opened: "open",
      "after the probe": "closed",
      "after one failure": "closed",
      "after all": "closed",
    },
    got: () => {
      const breaker = new CircuitBreaker(settings);
      requests(breaker, "--+".repeat(20), 0);
      const openedBy = breaker.state(0).kind as string;
      requests(breaker, "+", 1000);
      const probed = breaker.state(1000).kind as string;
      requests(breaker, "-", 1001);
      const one = breaker.state(1001).kind as string;
      requests(breaker, `-+${"--+".repeat(5)}`, 1002);
      const all = breaker.state(1002).kind as string;
      return { opened: openedBy, "after the probe": probed, "after one failure": one, "after all": all };
    },
    likely:
      "Since the circuit closed there were fewer than 20 requests: what came before must not be counted.",
    lookAt: "circuit-breaker.ts, CircuitBreaker, where the circuit closes",
    hint: 3,
  });
});

test("a circuit that has closed again starts with no failure in a row", async () => {
  await check({
    sent: `${rules}: opened by five failures, closed again by a probe 1 s later, then failures only. After which of these it opens`,
    expected: 5,
    got: () => {
      const breaker = new CircuitBreaker(settings);
      requests(breaker, "-----", 0);
      requests(breaker, "+", 1000);
      for (let failure = 1; failure <= 20; failure++) {
        requests(breaker, "-", 1000 + failure);
        if (breaker.state(1000 + failure).kind === "open") return failure;
      }
      return "never";
    },
    likely: "The row of failures that opened the circuit is over. A new one has to be five long again.",
    lookAt: "circuit-breaker.ts, CircuitBreaker, where the circuit closes",
    hint: 3,
  });
});
