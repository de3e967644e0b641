import { test } from "vitest";
import { check } from "../../../support/check.ts";
import { RetryBudget } from "../starter/retry-budget.ts";

const shareOnly = { ratio: 0.2, minPerSecond: 0, maxBalance: 10 };
const lookAt = "retry-budget.ts, RetryBudget.deposit";
const lookAtTaking = "retry-budget.ts, RetryBudget.tryWithdraw";

/** Takes out until nothing is left, a thousand at most: how many retries there were. */
function takeAll(budget: RetryBudget): number {
  let taken = 0;
  while (taken < 1000 && budget.tryWithdraw()) taken += 1;
  return taken;
}

function deposits(budget: RetryBudget, count: number, nowMs: number): void {
  for (let i = 0; i < count; i++) budget.deposit(nowMs);
}

/** To a millionth: in which order the terms were added does not matter. `+ 0` makes -0 a 0. */
const rounded = (value: number) => Math.round(value * 1e6) / 1e6 + 0;

/** The balance after a deposit at each of these times. */
function balances(budget: RetryBudget, timesMs: readonly number[]): number[] {
  return timesMs.map((atMs) => {
    budget.deposit(atMs);
    return rounded(budget.balance);
  });
}

test("every request pays its share: five requests buy one retry", async () => {
  await check({
    sent: "ratio 0.2, no minimum, emptied: five requests, then retries until there is none; then ten requests",
    expected: { "after five": 1, "after ten more": 2 },
    got: () => {
      const budget = new RetryBudget(shareOnly);
      takeAll(budget);
      deposits(budget, 5, 0);
      const first = takeAll(budget);
      deposits(budget, 10, 0);
      return { "after five": first, "after ten more": takeAll(budget) };
    },
    likely: "How much may be retried does not depend on how many requests there were.",
    lookAt,
    hint: 1,
  });
});

test("ten requests that pay a tenth each buy one retry, in floating point too", async () => {
  await check({
    sent: "ratio 0.1, no minimum, emptied: nine requests and a retry, one more request and a retry",
    expected: { "after nine": false, "after ten": true, "left over": 0 },
    got: () => {
      const budget = new RetryBudget({ ratio: 0.1, minPerSecond: 0, maxBalance: 10 });
      takeAll(budget);
      deposits(budget, 9, 0);
      const early = budget.tryWithdraw();
      deposits(budget, 1, 0);
      const due = budget.tryWithdraw();
      return { "after nine": early, "after ten": due, "left over": rounded(budget.balance) };
    },
    likely: "Ten times 0.1 is a little less than 1 in floating point. ROUNDING is there for that.",
    lookAt: lookAtTaking,
    hint: 3,
  });
});

test("on a busy placement, retries are at most the share of the requests", async () => {
  await check({
    sent: "ratio 0.2, minPerSecond 2, emptied: 1,000 requests in ten seconds, each asks twice for a retry",
    expected: { requests: 1000, retries: 200 },
    got: () => {
      const budget = new RetryBudget({ ratio: 0.2, minPerSecond: 2, maxBalance: 10 });
      takeAll(budget);
      let retries = 0;
      for (let i = 0; i < 1000; i++) {
        budget.deposit(i * 10);
        for (let attempt = 0; attempt < 2; attempt++) if (budget.tryWithdraw()) retries += 1;
      }
      return { requests: 1000, retries };
    },
    likely:
      "With a hundred requests per second the share pays more than the minimum, so only the share counts.",
    lookAt,
    hint: 2,
  });
});

test("the account is never overdrawn", async () => {
  await check({
    sent: "no minimum, emptied: one request at ratio 0.9 and a retry, one at ratio 0.999 and a retry; the balance after each",
    expected: [
      { retry: false, balance: 0.9 },
      { retry: false, balance: 0.999 },
    ],
    got: () =>
      [0.9, 0.999].map((ratio) => {
        const budget = new RetryBudget({ ratio, minPerSecond: 0, maxBalance: 10 });
        takeAll(budget);
        budget.deposit(0);
        return { retry: budget.tryWithdraw(), balance: rounded(budget.balance) };
      }),
    likely: "A retry costs 1. Anything less stays in the account for the next request.",
    lookAt: lookAtTaking,
    hint: 1,
  });
});

test("a placement with few requests may retry up to its minimum", async () => {
  await check({
    sent: "ratio 0.2, minPerSecond 2: one request per second for ten seconds, each asks twice for a retry",
    expected: { requests: 10, retries: 20 },
    got: () => {
      const budget = new RetryBudget({ ratio: 0.2, minPerSecond: 2, maxBalance: 10 });
      let retries = 0;
      for (let second = 0; second < 10; second++) {
        budget.deposit(second * 1000);
        for (let attempt = 0; attempt < 2; attempt++) if (budget.tryWithdraw()) retries += 1;
      }
      return { requests: 10, retries };
    },
    likely: "Time must pay in as well: the share of ten requests is two retries.",
    lookAt,
    hint: 2,
  });
});

test("each request pays the larger of its share and its time", async () => {
  await check({
    sent: "ratio 0.3, minPerSecond 2, maxBalance 10: requests at 0, 100, 150, 400, 1100 and 4100 ms; the balance after each",
    expected: [2.3, 2.6, 2.9, 3.4, 4.8, 10],
    got: () =>
      balances(
        new RetryBudget({ ratio: 0.3, minPerSecond: 2, maxBalance: 10 }),
        [0, 100, 150, 400, 1100, 4100],
      ),
    likely:
      "The times since the latest request are 0, 100, 50, 250, 700 and 3000 ms. At 2 per second, that is 0, 0.2, 0.1, 0.5, 1.4 and 6.",
    lookAt,
    hint: 2,
  });
});

test("the first request pays its share, whatever the clock says", async () => {
  await check({
    sent: "ratio 0.2, minPerSecond 2: the first request at 1,000,000,000 ms, the second at the same time; the balance after each",
    expected: [2.2, 2.4],
    got: () =>
      balances(
        new RetryBudget({ ratio: 0.2, minPerSecond: 2, maxBalance: 10 }),
        [1_000_000_000, 1_000_000_000],
      ),
    likely: "No time has passed before the first request. The clock need not start at 0.",
    lookAt,
    hint: 3,
  });
});

test("a new account holds what the minimum brings in one second", async () => {
  for (const [minPerSecond, maxBalance] of [
    [2, 10],
    [5, 3],
    [0.5, 10],
    [0, 10],
  ] as const) {
    await check({
      sent: `minPerSecond ${minPerSecond}, maxBalance ${maxBalance}: the balance of a new account`,
      expected: Math.min(minPerSecond, maxBalance),
      got: () => new RetryBudget({ ratio: 0.2, minPerSecond, maxBalance }).balance,
      likely: "A new account has earned nothing yet, but its first request may already fail.",
      lookAt: "retry-budget.ts, the constructor of RetryBudget",
      hint: 3,
    });
  }
});

test("an hour without failures saves up maxBalance, and not more", async () => {
  const settings = { ratio: 0.2, minPerSecond: 2, maxBalance: 7 };
  await check({
    sent: "ratio 0.2, minPerSecond 2, maxBalance 7: a request every 100 ms for an hour, or none for an hour and then one; then all retries at once",
    expected: { "busy hour": 7, "quiet hour": 7 },
    got: () => {
      const busy = new RetryBudget(settings);
      for (let atMs = 0; atMs < 3_600_000; atMs += 100) busy.deposit(atMs);
      const quiet = new RetryBudget(settings);
      for (const atMs of [0, 3_600_000]) quiet.deposit(atMs);
      return { "busy hour": takeAll(busy), "quiet hour": takeAll(quiet) };
    },
    likely: "The balance must not go above maxBalance, whether requests or time paid it in.",
    lookAt,
    hint: 3,
  });
});

test("a clock that goes back pays no time twice", async () => {
  await check({
    sent: "ratio 0.25, minPerSecond 2, emptied at 5,000 ms: requests at 5000, 0, 4000 and 5500 ms; the balance after each",
    expected: [0.25, 0.5, 0.75, 1.75],
    got: () => {
      const budget = new RetryBudget({ ratio: 0.25, minPerSecond: 2, maxBalance: 10 });
      budget.deposit(5000);
      takeAll(budget);
      const left = budget.balance;
      return balances(budget, [5000, 0, 4000, 5500]).map((balance) => rounded(balance - left));
    },
    likely:
      "The time up to 5000 ms is paid for. The requests at 0 and 4000 ms pay their share, and the last one pays for 500 ms.",
    lookAt,
    hint: 3,
  });
});

test("new settings keep the balance, up to the new maximum, and hold from then on", async () => {
  await check({
    sent: "ratio 0.2, minPerSecond 2, maxBalance 3: a request at 0 ms and a retry; ratio 0.5, minPerSecond 4, maxBalance 8: requests at 0 and 250 ms; then maxBalance 1",
    expected: { before: 1.2, "maxBalance 8": 1.2, "then requests": [1.7, 2.7], "maxBalance 1": 1 },
    got: () => {
      const budget = new RetryBudget({ ratio: 0.2, minPerSecond: 2, maxBalance: 3 });
      budget.deposit(0);
      budget.tryWithdraw();
      const before = rounded(budget.balance);
      budget.reconfigure({ ratio: 0.5, minPerSecond: 4, maxBalance: 8 });
      const more = rounded(budget.balance);
      const requests = balances(budget, [0, 250]);
      budget.reconfigure({ ratio: 0.5, minPerSecond: 4, maxBalance: 1 });
      return { before, "maxBalance 8": more, "then requests": requests, "maxBalance 1": budget.balance };
    },
    likely: "New settings neither fill nor empty the account, except for what lies above the new maximum.",
    lookAt: "retry-budget.ts, RetryBudget.reconfigure",
  });
});
