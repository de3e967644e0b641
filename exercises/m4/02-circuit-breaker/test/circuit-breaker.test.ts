import { test } from "vitest";
import { check, type Outcome } from "../../../support/check.ts";
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

/** For `likely`: what a returned value shows. An error speaks for itself. */
const shows =
  <T>(say: (got: T) => string | undefined) =>
  (outcome: Outcome<T>) =>
    outcome.kind === "returned" ? say(outcome.value) : undefined;

/** What it shows when requests that fail by the ratio, never five in a row, did not open the circuit at request 20. */
const showsRatio = (fifthFailure: number) =>
  shows((got: number | "never") => {
    if (got === "never") return "The circuit never opened: such a ratio opens nothing by itself.";
    if (got === fifthFailure) return "It opened at the fifth failure, although successes came in between.";
    return got < 20
      ? "Fewer than 20 requests opened the circuit."
      : "At least half of 20 requests had failed, and it opened only later.";
  });

test("one failure on a quiet cell leaves the circuit closed", async () => {
  await check({
    sent: `${rules}: one request, which fails. After which request it opens`,
    expected: "never",
    got: () => opensAfter("-"),
    likely: shows(() => "One request was enough: its failure is 100 % of the window, and a row of one."),
    lookAt,
    hint: 1,
  });
});

test("the fifth failure in a row opens the circuit, and not the fourth", async () => {
  await check({
    sent: `${rules}: after two successes, failures only, one every 30 s. After which request it opens`,
    expected: 7,
    got: () => opensAfter("++-------", 30_000),
    likely: shows((got) => {
      if (got === "never") return "Seven failures in a row did not open it, with few requests in the window.";
      return got < 7
        ? "Fewer than five failures in a row opened it."
        : "It took more than five failures in a row.";
    }),
    lookAt,
    hint: 2,
  });
});

test("a success ends the row of failures", async () => {
  await check({
    sent: `${rules}: four failures, a success, four failures, a success, one request every 30 s. After which request it opens`,
    expected: "never",
    got: () => opensAfter("----+----+", 30_000),
    likely: shows((got) => {
      if (Number(got) < 5) return "Fewer than five failures opened it.";
      return got === 6
        ? "The fifth failure opened it, although a success came before: the row went on."
        : undefined;
    }),
    lookAt,
    hint: 2,
  });
});

test("clients that leave open no circuit", async () => {
  await check({
    sent: `${rules}: three failures, then 40 requests whose clients leave. After which request it opens`,
    expected: "never",
    got: () => opensAfter(`---${"a".repeat(40)}`),
    likely: shows((got) =>
      Number(got) <= 3
        ? "It opened before the first client left."
        : "It opened while clients were leaving: they counted as failures.",
    ),
    lookAt,
    hint: 3,
  });
});

test("a client that leaves does not end the row of failures", async () => {
  await check({
    sent: `${rules}: failures, and after every two of them a client that leaves. After which request it opens`,
    expected: 7,
    got: () => opensAfter("--a--a--a--a"),
    likely: shows((got) => {
      if (got === "never")
        return "It never opened: a client that left ended the row, or the row alone opens nothing.";
      if (got < 5) return "Fewer than five failures opened it.";
      return got < 7 ? "Four failures opened it: a client that left counted as the fifth." : undefined;
    }),
    lookAt,
    hint: 3,
  });
});

test("clients that leave do not change the ratio", async () => {
  await check({
    sent: `${rules}: a success, a failure, a client that leaves, over and over. After which request it opens`,
    expected: 29,
    got: () => opensAfter("+-a".repeat(40)),
    likely: shows((got) => {
      if (got === "never")
        return "It never opened: clients that left counted as successes, or half failing is not enough.";
      if (got === 20)
        return "It opened at request 20, which is the twentieth only if clients that left count.";
      if (got === 14) return "It opened at the fifth failure, although successes came in between.";
      return got < 20 ? "Fewer than 20 requests opened the circuit." : undefined;
    }),
    lookAt,
    hint: 3,
  });
});

test("the ratio counts from the minimum of requests on", async () => {
  await check({
    sent: `${rules}: two failures for each success. After which request it opens`,
    expected: 20,
    got: () => opensAfter("--+".repeat(20)),
    likely: showsRatio(7),
    lookAt,
    hint: 1,
  });
});

test("half of the requests failing opens the circuit, though never five in a row", async () => {
  await check({
    sent: `${rules}: 100 requests, success and failure in turn. After which request it opens`,
    expected: 20,
    got: () => opensAfter("+-".repeat(50)),
    likely: showsRatio(10),
    lookAt,
    hint: 2,
  });
});

test("fewer failures than the ratio leave the circuit closed", async () => {
  await check({
    sent: `${rules}: 300 requests in 3 s, of which every third fails. After which request it opens`,
    expected: "never",
    got: () => opensAfter("++-".repeat(100), 10),
    likely: shows((got) =>
      got === 15
        ? "It opened at the fifth failure, although successes came in between."
        : "A third of the requests failing opened the circuit.",
    ),
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
    likely: shows((got) =>
      got === "closed"
        ? "The failures of now opened nothing: old successes outweigh them, or the ratio opens nothing."
        : undefined,
    ),
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
    likely: shows((got) =>
      got["at first"] === "open"
        ? "Nine requests opened the circuit."
        : "Twelve requests opened it: those of a minute ago counted with them, or twelve are enough.",
    ),
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
    likely: shows((got) => {
      if (got === "never") return "The ratio never opened the circuit.";
      const atMs = Number(got.split(" ")[1]);
      if (atMs === 9_600) return "It opened at the fifth failure, although successes came in between.";
      return atMs < 13_600
        ? "Fewer than 20 requests opened the circuit."
        : "At 13,600 ms the window had lost some of the last 7.6 s, or exactly half of exactly 20 was not enough.";
    }),
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
    likely: shows((got) => {
      if (got.allowed)
        return "After nine failures in a row the circuit was closed, or open for too short a time.";
      return got.retryAfterMs === 1000 ? "The wait that it names does not get shorter." : undefined;
    }),
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
    likely: shows((got) => {
      if (got.opened !== "open") return "The ratio did not open the circuit in the first place.";
      if (got["after the probe"] !== "closed") return "The probe that succeeded did not close the circuit.";
      return got["after one failure"] === "open"
        ? "One failure opened it again: old requests still count, or one request is enough."
        : "18 requests opened it again, never five failures in a row: something older still counts.";
    }),
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
    likely: shows((got) => {
      if (got === "never" || got > 5) return "Five failures in a row did not open it.";
      return got === 1
        ? "One failure opened it again: the old row goes on, or one failure is enough."
        : "Fewer than five failures opened it again.";
    }),
    lookAt: "circuit-breaker.ts, CircuitBreaker, where the circuit closes",
    hint: 3,
  });
});
