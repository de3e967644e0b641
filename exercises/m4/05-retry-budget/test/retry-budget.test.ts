import { test } from "vitest";
import { check, shows } from "../../../support/check.ts";
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
    likely: shows((got) => {
      const [five, ten] = [got["after five"], got["after ten more"]];
      if (five === 0 && ten === 0) return "The requests paid nothing in.";
      return five > 1 || ten > 2 ? "There were retries that no request had paid for." : undefined;
    }),
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
    likely: shows((got) => {
      if (got["after nine"]) return "A retry was allowed with 0.9 in the account.";
      if (!got["after ten"])
        return got["left over"] === 1
          ? "The ten tenths are there, but in floating point they add up to slightly less than 1."
          : "The requests paid nothing in, or the retry that was refused took it out.";
      return "The retry did not take exactly 1 out.";
    }),
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
    likely: shows(({ retries }) =>
      retries > 200
        ? "More retries than the share pays for: time paid in as well, or a retry cost less than 1."
        : "Fewer retries than the share pays for: not every request paid it, or a retry cost more than 1.",
    ),
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
    likely: shows((got) =>
      got.some(({ retry }) => retry)
        ? "A retry was allowed although less than 1 was in the account."
        : "The refused retry changed the balance, or the request had not paid its share.",
    ),
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
    likely: shows(({ retries }) =>
      retries === 18
        ? "Two retries are missing: a new account holds too little for the first request."
        : "Fewer retries than the minimum allows: too little is paid in, or a retry costs more than 1.",
    ),
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
    likely: shows((got) => {
      const [first, second, , fourth] = got;
      if (first === 10) return "A new account was full.";
      if (first === 0.3) return "A new account was empty.";
      if (first === 2) return "The first request paid nothing.";
      if (Math.max(...got) > 10) return "The balance rose above `maxBalance`.";
      if (second === 2.8) return "The request at 100 ms paid its share and its time.";
      if (second === 2.5) return "The request at 100 ms paid its time, although its share was larger.";
      if (fourth === 3.2) return "The request at 400 ms paid its share, although its time was worth more.";
      return fourth === 3.7 ? "The request at 400 ms paid for time before 150 ms, too." : undefined;
    }),
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
    likely: shows(([first]) => {
      if (first === 10)
        return "After one request the account was full: it began full, or time from before the request was paid for.";
      if (first === 0.2) return "A new account was empty.";
      return first === 2 ? "The first request paid nothing." : undefined;
    }),
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
      likely: shows((balance) => {
        if (balance > maxBalance) return "A new account holds more than `maxBalance`.";
        if (balance === maxBalance) return "A new account is full.";
        return balance === 0 ? "A new account is empty." : undefined;
      }),
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
    likely: shows((got) => {
      const [busy, quiet] = [got["busy hour"], got["quiet hour"]];
      if (busy > 7 || quiet > 7) return "The balance rose above `maxBalance`.";
      return busy === 7 ? "The request after the quiet hour did not pay for all of it." : undefined;
    }),
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
    likely: shows(([first = 0, back = 0, third = 0, last = 0]) => {
      if (first !== 0 && first !== 0.25) return undefined;
      if (back === first) return "The request at 0 ms, for which the clock had gone back, paid nothing.";
      if (back > 0.5)
        return "The request at 0 ms paid more than its share, although the clock had gone back.";
      if (third > 0.75) return "The request at 4000 ms paid for time that was paid for before.";
      if (last > 2) return "The last request paid for time from before 5000 ms again.";
      if (last === 2) return "The last request paid its share and its time.";
      return last === 1 ? "The last request paid its share, although its time was worth more." : undefined;
    }),
    lookAt,
    hint: 3,
  });
});

test("new settings keep the balance, up to the new maximum, and hold from then on", async () => {
  await check({
    sent: "ratio 0.2, minPerSecond 2, maxBalance 3: a request at 0 ms and a retry; ratio 0.5, minPerSecond 4, maxBalance 8: requests at 0 and 250 ms; maxBalance 1; then a retry, and a request at 450 ms",
    expected: {
      before: 1.2,
      "maxBalance 8": 1.2,
      "then requests": [1.7, 2.7],
      "maxBalance 1": 1,
      "at 450 ms": [0.8],
    },
    got: () => {
      const budget = new RetryBudget({ ratio: 0.2, minPerSecond: 2, maxBalance: 3 });
      budget.deposit(0);
      budget.tryWithdraw();
      const before = rounded(budget.balance);
      budget.reconfigure({ ratio: 0.5, minPerSecond: 4, maxBalance: 8 });
      const more = rounded(budget.balance);
      const requests = balances(budget, [0, 250]);
      budget.reconfigure({ ratio: 0.5, minPerSecond: 4, maxBalance: 1 });
      const less = budget.balance;
      budget.tryWithdraw();
      const last = balances(budget, [450]);
      return {
        before,
        "maxBalance 8": more,
        "then requests": requests,
        "maxBalance 1": less,
        "at 450 ms": last,
      };
    },
    likely: shows((got) => {
      const [first, second] = got["then requests"];
      if (got.before !== 1.2) return "The balance was wrong before the settings changed.";
      if (got["maxBalance 8"] > 1.2) return "The new settings paid something in.";
      if (got["maxBalance 8"] < 1.2) return "The new settings took something out.";
      if (first === 1.4) return "The request at 0 ms paid the old share.";
      if (second === 2.2) return "The request at 250 ms paid 0.5: its share, or its time by the old minimum.";
      if (second === 3.2) return "The request at 250 ms paid its share and its time.";
      if (got["maxBalance 1"] > 1) return "The balance stayed above the new `maxBalance`.";
      return got["at 450 ms"][0] === 0.5
        ? "The request at 450 ms paid its share, although 200 ms had passed since the latest request."
        : undefined;
    }),
    lookAt: "retry-budget.ts, RetryBudget.reconfigure",
  });
});
