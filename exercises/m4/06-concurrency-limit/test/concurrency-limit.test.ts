import { EventEmitter, getEventListeners } from "node:events";
import { test } from "vitest";
import { check, within } from "../../../support/check.ts";
import { ConcurrencyLimit } from "../starter/concurrency-limit.ts";
import { limited } from "../starter/limited.ts";

const lookAt = "limited.ts, limited, the ways out";

/** Waits for the abort, then ends as `how` says: a cell whose request is cut. */
function untilAborted(signal: AbortSignal, how: "quietly" | "with an error"): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => {
      if (how === "quietly") resolve();
      else reject(new Error("aborted"));
    });
  });
}

/** How the promise settles, in words, within a second. */
async function outcome(promise: Promise<unknown>): Promise<string> {
  try {
    return String(await within(1000, "the request to end", promise));
  } catch (error) {
    return `rejected: ${(error as Error).message}`;
  }
}

test("as many requests as the limit says are served at once, and the next is refused", async () => {
  await check({
    sent: "a limit of 2: two requests that do not end, then a third",
    expected: { third: "overloaded", "third was begun": false, "in flight": 2 },
    got: async () => {
      const limit = new ConcurrencyLimit(2);
      const end = new AbortController();
      const two = [1, 2].map(() =>
        limited(limit, new EventEmitter(), () => untilAborted(end.signal, "quietly")),
      );
      let begun = false;
      const third = await outcome(
        limited(limit, new EventEmitter(), async () => {
          begun = true;
        }),
      );
      const inFlight = limit.inFlight;
      end.abort();
      await Promise.all(two);
      return { third, "third was begun": begun, "in flight": inFlight };
    },
    likely: "A request without a place is not begun.",
    lookAt: "limited.ts, limited, tryAcquire",
  });
});

test("a request that has ended gives its place back", async () => {
  await check({
    sent: "a limit of 1: three requests, one after the other",
    expected: { results: ["ended", "ended", "ended"], "in flight": 0 },
    got: async () => {
      const limit = new ConcurrencyLimit(1);
      const results: string[] = [];
      for (let i = 0; i < 3; i++) {
        results.push(await outcome(limited(limit, new EventEmitter(), async () => {})));
      }
      return { results, "in flight": limit.inFlight };
    },
    likely: "A place was not given back.",
    lookAt,
    hint: 1,
  });
});

test("a limit that nobody uses stays at none in flight", async () => {
  await check({
    sent: "a limit of 1: its only permit released three times; how many are in flight, and how many more it grants",
    expected: { "in flight": 0, granted: 1 },
    got: () => {
      const limit = new ConcurrencyLimit(1);
      const only = limit.tryAcquire();
      for (let i = 0; i < 3; i++) only?.release();
      const inFlight = limit.inFlight;
      const granted = [1, 2, 3].filter(() => limit.tryAcquire() !== undefined).length;
      return { "in flight": inFlight, granted };
    },
    likely: "Each release counts down, although there was one place to give back.",
    lookAt: "concurrency-limit.ts, CountedPermit.release",
    hint: 2,
  });
});

test("a permit that is released twice gives one place back", async () => {
  await check({
    sent: "a limit of 2: two permits, the first of them released twice; how many are in flight",
    expected: 1,
    got: () => {
      const limit = new ConcurrencyLimit(2);
      const first = limit.tryAcquire();
      limit.tryAcquire();
      first?.release();
      first?.release();
      return limit.inFlight;
    },
    likely: "The second release gave back the place that the other one holds.",
    lookAt: "concurrency-limit.ts, CountedPermit.release",
    hint: 2,
  });
});

test("a request that fails gives its place back, and the failure is passed on", async () => {
  await check({
    sent: "a limit of 1: serve rejects with ECONNREFUSED",
    expected: { result: "rejected: ECONNREFUSED", "in flight": 0 },
    got: async () => {
      const limit = new ConcurrencyLimit(1);
      const failing = limited(limit, new EventEmitter(), async () => {
        throw new Error("ECONNREFUSED");
      });
      return { result: await outcome(failing), "in flight": limit.inFlight };
    },
    likely: "The error leaves the function before the line that releases.",
    lookAt,
    hint: 1,
  });
});

test("an error before the first await gives the place back, too", async () => {
  await check({
    sent: "a limit of 1: serve is no async function, and throws instead of returning a promise",
    expected: { result: "rejected: no such cell", "in flight": 0, listening: 0 },
    got: async () => {
      const limit = new ConcurrencyLimit(1);
      const client = new EventEmitter();
      const failing = limited(limit, client, () => {
        throw new Error("no such cell");
      });
      const result = await outcome(failing);
      return { result, "in flight": limit.inFlight, listening: getEventListeners(client, "close").length };
    },
    likely: "What is thrown before there is a promise is not seen by the promise's finally.",
    lookAt,
    hint: 1,
  });
});

test("the place stays taken until the cell has stopped, also when the client has left", async () => {
  await check({
    sent: "a limit of 1: the client leaves while the cell works; looked at before and after the cell has stopped",
    expected: { "signal aborted": true, "cell still works": 1, "cell has stopped": 0 },
    got: async () => {
      const limit = new ConcurrencyLimit(1);
      const client = new EventEmitter();
      const cell = Promise.withResolvers<void>();
      let signal: AbortSignal | undefined;
      const request = limited(limit, client, (given) => {
        signal = given;
        return cell.promise;
      });
      client.emit("close");
      const working = limit.inFlight;
      cell.resolve();
      await outcome(request);
      const aborted = signal?.aborted ?? false;
      return { "signal aborted": aborted, "cell still works": working, "cell has stopped": limit.inFlight };
    },
    likely: "The place was given back when the client left, and the cell was still working.",
    lookAt: "limited.ts, limited, what happens at close",
    hint: 3,
  });
});

test("a client that leaves is no failure, and its place comes back once", async () => {
  for (const how of ["quietly", "with an error"] as const) {
    await check({
      sent: `a limit of 3, two others in flight: the client leaves, and serve ends ${how}`,
      expected: { result: "client-left", "in flight": 2 },
      got: async () => {
        const limit = new ConcurrencyLimit(3);
        limit.tryAcquire();
        limit.tryAcquire();
        const client = new EventEmitter();
        const request = limited(limit, client, (signal) => untilAborted(signal, how));
        client.emit("close");
        return { result: await outcome(request), "in flight": limit.inFlight };
      },
      likely: "Two ways out were taken at once, or neither: the error is only the echo of the abort.",
      lookAt,
      hint: 3,
    });
  }
});

test("nothing is left listening on a connection that stays open", async () => {
  await check({
    sent: "100 requests on one connection; how many listeners to its close there are afterwards",
    expected: 0,
    got: async () => {
      const limit = new ConcurrencyLimit(1);
      const client = new EventEmitter();
      client.setMaxListeners(0);
      for (let i = 0; i < 100; i++) await outcome(limited(limit, client, async () => {}));
      return getEventListeners(client, "close").length;
    },
    likely: "Each request leaves its listener behind; the next close would call all of them.",
    lookAt: "limited.ts, limited, client.once",
    hint: 3,
  });
});
