import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DEFAULT_RETRIES } from "../src/resilience-settings.ts";
import {
  type AttemptFailure,
  type FailedAttempt,
  isFailureStatus,
  mayRetry,
  type RetryDecision,
} from "../src/retry-policy.ts";

/** A GET whose connection broke: the plainest case that may be tried again. */
const brokenGet: FailedAttempt = {
  method: "GET",
  hasBody: false,
  failure: "connection-broken",
  sent: true,
  responseStarted: false,
  attempt: 0,
  elapsedMs: 5,
  deadlineMs: 10_000,
};

class CountingBudget {
  withdrawals = 0;
  readonly #retries: number;

  constructor(retries: number) {
    this.#retries = retries;
  }

  tryWithdraw(): boolean {
    if (this.withdrawals >= this.#retries) return false;
    this.withdrawals += 1;
    return true;
  }
}

function decide(failed: Partial<FailedAttempt>, retriesLeft = 100): RetryDecision {
  return mayRetry({ ...brokenGet, ...failed }, DEFAULT_RETRIES, new CountingBudget(retriesLeft), () => 0.5);
}

const retried: RetryDecision = { retry: true, delayMs: 12.5 };
const refused = (why: string) => ({ retry: false, why });

describe("mayRetry", () => {
  test.each([
    ["GET", true],
    ["HEAD", true],
    ["OPTIONS", true],
    ["PUT", true],
    ["DELETE", true],
    ["POST", false],
    ["PATCH", false],
    ["get", false],
    ["PROPFIND", false],
  ])("%s without a body that was sent: %s", (method, repeatable) => {
    expect(decide({ method })).toEqual(repeatable ? retried : refused("not-repeatable"));
  });

  test.each<[Partial<FailedAttempt>, RetryDecision]>([
    [{ failure: "connection-broken" }, retried],
    [{ failure: "timed-out" }, retried],
    [{ failure: "failure-status" }, retried],
    [{ failure: "connect-failed", sent: false }, retried],
    [{ failure: "client-aborted" }, refused("client-aborted") as RetryDecision],
  ])("a GET with %o", (failed, expected) => {
    expect(decide(failed)).toEqual(expected);
  });

  test("a POST is repeated after a failed connect, where nothing of it was sent, and only then", () => {
    const post = { method: "POST", hasBody: true };
    expect(decide({ ...post, failure: "connect-failed", sent: false })).toEqual(retried);
    expect(decide({ ...post, failure: "connect-failed", sent: true })).toEqual(refused("not-repeatable"));
    expect(decide({ ...post, failure: "connection-broken", sent: true })).toEqual(refused("not-repeatable"));
    expect(decide({ ...post, failure: "connection-broken", sent: false })).toEqual(refused("not-repeatable"));
  });

  test("a PUT with a body is not repeated: its body is spent", () => {
    expect(decide({ method: "PUT", hasBody: true })).toEqual(refused("not-repeatable"));
  });

  test("nothing is repeated once the client holds the beginning of a response", () => {
    expect(decide({ responseStarted: true })).toEqual(refused("response-started"));
    expect(decide({ responseStarted: true, failure: "connect-failed", sent: false })).toEqual(
      refused("response-started"),
    );
  });

  test("two retries, each with a longer ceiling, and no third one", () => {
    expect(decide({ attempt: 0 })).toEqual({ retry: true, delayMs: 12.5 });
    expect(decide({ attempt: 1 })).toEqual({ retry: true, delayMs: 25 });
    expect(decide({ attempt: 2 })).toEqual(refused("retries-used-up"));
  });

  test("no retry that would start at or after the deadline", () => {
    expect(decide({ elapsedMs: 9987.4 })).toEqual(retried);
    expect(decide({ elapsedMs: 9987.5 })).toEqual(refused("deadline"));
    expect(decide({ elapsedMs: 20_000 })).toEqual(refused("deadline"));
  });

  test("an exhausted budget refuses", () => {
    expect(decide({}, 0)).toEqual(refused("budget-exhausted"));
  });

  test("a placement without retry settings never retries", () => {
    const budget = new CountingBudget(100);
    expect(mayRetry(brokenGet, undefined, budget, () => 0)).toEqual(refused("not-configured"));
    expect(budget.withdrawals).toBe(0);
  });

  const attempts = fc.record({
    method: fc.constantFrom("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "POST", "PATCH", "LOCK"),
    hasBody: fc.boolean(),
    failure: fc.constantFrom<AttemptFailure>(
      "connect-failed",
      "connection-broken",
      "timed-out",
      "failure-status",
      "client-aborted",
    ),
    sent: fc.boolean(),
    responseStarted: fc.boolean(),
    attempt: fc.nat(4),
    elapsedMs: fc.nat(12_000),
    deadlineMs: fc.constant(10_000),
  });

  test("property: the budget pays exactly for the retries that are made", () => {
    fc.assert(
      fc.property(
        attempts,
        fc.nat(1),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (failed, retriesLeft, chance) => {
          const budget = new CountingBudget(retriesLeft);
          const decision = mayRetry(failed, DEFAULT_RETRIES, budget, () => chance);
          expect(budget.withdrawals).toBe(decision.retry ? 1 : 0);
        },
      ),
      { numRuns: 1000 },
    );
  });

  test("property: whatever is retried was safe to repeat, in time, and among the first two retries", () => {
    let retries = 0;
    fc.assert(
      fc.property(attempts, fc.double({ min: 0, max: 0.999, noNaN: true }), (failed, chance) => {
        const decision = mayRetry(failed, DEFAULT_RETRIES, new CountingBudget(1), () => chance);
        if (!decision.retry) return;
        retries += 1;
        expect(failed.responseStarted).toBe(false);
        expect(failed.failure).not.toBe("client-aborted");
        expect(failed.attempt).toBeLessThan(2);
        expect(failed.elapsedMs + decision.delayMs).toBeLessThan(failed.deadlineMs);
        const mayHaveActed = failed.sent || failed.failure !== "connect-failed";
        if (mayHaveActed) {
          expect(failed.hasBody).toBe(false);
          expect(["POST", "PATCH", "LOCK"]).not.toContain(failed.method);
        }
      }),
      { numRuns: 1000 },
    );
    expect(retries, "the generator must reach retries").toBeGreaterThan(5);
  });
});

describe("isFailureStatus", () => {
  test("502, 503 and 504, and no other", () => {
    const failures = Array.from({ length: 500 }, (_, index) => index + 100).filter(isFailureStatus);
    expect(failures).toEqual([502, 503, 504]);
  });
});
