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
    likely: "What may be retried does not depend on how many requests there were.",
    lookAt,
    hint: 1,
  });
});

test("ten requests that pay a tenth each buy one retry, in floating point too", async () => {
  await check({
    sent: "ratio 0.1, no minimum, emptied: nine requests and a retry, one more request and a retry",
    expected: { "after nine": false, "after ten": true },
    got: () => {
      const budget = new RetryBudget({ ratio: 0.1, minPerSecond: 0, maxBalance: 10 });
      takeAll(budget);
      deposits(budget, 9, 0);
      const early = budget.tryWithdraw();
      deposits(budget, 1, 0);
      return { "after nine": early, "after ten": budget.tryWithdraw() };
    },
    likely: "Ten times 0.1 is a little less than 1 in floating point; ROUNDING is there for that.",
    lookAt: lookAtTaking,
    hint: 3,
  });
});

test("in a full outage retries are at most the share of the requests", async () => {
  await check({
    sent: "ratio 0.2, 2 a second at least, emptied: 1,000 requests in ten seconds, each asks twice for a retry",
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
    likely: "The cell must see 1 + ratio times its load: not less help than that, and no more load.",
    lookAt,
    hint: 2,
  });
});

test("the account is never overdrawn", async () => {
  await check({
    sent: "ratio 0.9, no minimum, emptied: one request and a retry; the balance",
    expected: { retry: false, balance: 0.9 },
    got: () => {
      const budget = new RetryBudget({ ratio: 0.9, minPerSecond: 0, maxBalance: 10 });
      takeAll(budget);
      budget.deposit(0);
      return { retry: budget.tryWithdraw(), balance: budget.balance };
    },
    likely: "A retry costs 1. What is less than that stays in the account for the next request.",
    lookAt: lookAtTaking,
    hint: 1,
  });
});

test("a placement with few requests may retry up to its minimum", async () => {
  await check({
    sent: "ratio 0.2, 2 a second at least: one request a second for ten seconds, each asks twice for a retry",
    expected: 20,
    got: () => {
      const budget = new RetryBudget({ ratio: 0.2, minPerSecond: 2, maxBalance: 10 });
      let retries = 0;
      for (let second = 0; second < 10; second++) {
        budget.deposit(second * 1000);
        for (let attempt = 0; attempt < 2; attempt++) if (budget.tryWithdraw()) retries += 1;
      }
      return retries;
    },
    likely:
      "Time pays in as well: by its share alone, a placement with one request a second retries one in five.",
    lookAt,
    hint: 2,
  });
});

test("a new account holds what the minimum brings in one second", async () => {
  for (const [minPerSecond, maxBalance] of [
    [2, 10],
    [5, 3],
  ] as const) {
    await check({
      sent: `at least ${minPerSecond} a second, saves up ${maxBalance} at most: the balance at the start`,
      expected: Math.min(minPerSecond, maxBalance),
      got: () => new RetryBudget({ ratio: 0.2, minPerSecond, maxBalance }).balance,
      likely: "A new account is full, or empty: it has earned nothing yet, and the first request may fail.",
      lookAt: "retry-budget.ts, the constructor of RetryBudget",
      hint: 3,
    });
  }
});

test("an hour without failures saves up the most, and not more", async () => {
  await check({
    sent: "ratio 0.2, 2 a second at least, saves up 10 at most: a request every 100 ms for an hour; then all retries at once",
    expected: 10,
    got: () => {
      const budget = new RetryBudget({ ratio: 0.2, minPerSecond: 2, maxBalance: 10 });
      for (let atMs = 0; atMs < 3_600_000; atMs += 100) budget.deposit(atMs);
      return takeAll(budget);
    },
    likely: "What is paid into a full account is lost.",
    lookAt,
    hint: 3,
  });
});

test("a clock that goes back pays nothing in", async () => {
  await check({
    sent: "no share, 2 a second at least, emptied at 5 s: requests at 5 s, 0 s and 5.5 s; then all retries",
    expected: 1,
    got: () => {
      const budget = new RetryBudget({ ratio: 0, minPerSecond: 2, maxBalance: 10 });
      budget.deposit(5000);
      takeAll(budget);
      for (const atMs of [5000, 0, 5500]) budget.deposit(atMs);
      return takeAll(budget);
    },
    likely:
      "The seconds from 0 s to 5 s have been paid for already; the half second after them brings one retry.",
    lookAt,
    hint: 3,
  });
});

test("new settings keep the balance, up to the new most", async () => {
  await check({
    sent: "a balance of 2, then settings that save up 8 at most, then some that save up 1",
    expected: { before: 2, "at most 8": 2, "at most 1": 1 },
    got: () => {
      const budget = new RetryBudget({ ratio: 0.2, minPerSecond: 2, maxBalance: 2 });
      const before = budget.balance;
      budget.reconfigure({ ratio: 0.2, minPerSecond: 2, maxBalance: 8 });
      const more = budget.balance;
      budget.reconfigure({ ratio: 0.2, minPerSecond: 2, maxBalance: 1 });
      return { before, "at most 8": more, "at most 1": budget.balance };
    },
    likely: "A new limit neither fills nor empties the account; it only cuts what is above it.",
    lookAt: "retry-budget.ts, RetryBudget.reconfigure",
  });
});
