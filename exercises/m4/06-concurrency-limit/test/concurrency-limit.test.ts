import { EventEmitter, getEventListeners } from "node:events";
import { setImmediate } from "node:timers/promises";
import { test } from "vitest";
import { check, shows, within } from "../../../support/check.ts";
import { ConcurrencyLimit } from "../starter/concurrency-limit.ts";
import { limited, type Serve } from "../starter/limited.ts";

const lookAt = "limited.ts, limited, the ways out";
const lookAtRelease = "concurrency-limit.ts, CountedPermit.release";

/** What is left of a request that has ended with an error. */
function leftBehind(got: { "in flight": number; listening: number }): string | undefined {
  if (got["in flight"] > 0) return "The error ended the request, and its permit did not come back.";
  if (got["in flight"] < 0) return "The permit came back more than once.";
  return got.listening > 0 ? "The request has ended and still listens to its client." : undefined;
}

/** A cell that works until it is told otherwise. `begun`: the signal that it was given. */
function heldCell() {
  const begun = Promise.withResolvers<AbortSignal>();
  const work = Promise.withResolvers<void>();
  const serve: Serve = (signal) => {
    begun.resolve(signal);
    return work.promise;
  };
  return {
    serve,
    begun: () => within(1000, "serve to be called", begun.promise),
    stop: work.resolve,
    fail: work.reject,
  };
}

/** How the promise settles, in words, within a second. */
async function outcome(promise: Promise<unknown>): Promise<string> {
  try {
    return String(await within(1000, "the request to end", promise));
  } catch (error) {
    return `rejected: ${(error as Error).message}`;
  }
}

const listening = (client: EventEmitter): number => getEventListeners(client, "close").length;

/** Whatever is going to happen by itself has happened after this. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await setImmediate();
}

test("as many requests as the limit says are served at once, and the next is refused", async () => {
  await check({
    sent: "a limit of 2: two requests that do not end, then a third",
    expected: { third: "overloaded", "third was begun": false, "in flight": 2, "third listens": 0 },
    got: async () => {
      const limit = new ConcurrencyLimit(2);
      const cells = [heldCell(), heldCell()];
      const two = cells.map((cell) => limited(limit, new EventEmitter(), cell.serve));
      let begun = false;
      const client = new EventEmitter();
      const third = await outcome(
        limited(limit, client, async () => {
          begun = true;
        }),
      );
      const inFlight = limit.inFlight;
      for (const cell of cells) cell.stop();
      await Promise.all(two);
      return { third, "third was begun": begun, "in flight": inFlight, "third listens": listening(client) };
    },
    likely: shows((got) => {
      if (got["third was begun"]) return "A third request was begun.";
      if (got["third listens"] > 0) return "The request that was refused still listens to its client.";
      return got["in flight"] > 2 ? "The request that was refused counts as in flight." : undefined;
    }),
    lookAt: "limited.ts, limited, tryAcquire",
  });
});

test("a request that has ended gives its permit back", async () => {
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
    likely: shows((got) => {
      if (got.results.includes("overloaded")) return "A request had ended, and the next one found no permit.";
      return got["in flight"] < 0 ? "A permit came back more than once." : undefined;
    }),
    lookAt,
    hint: 1,
  });
});

test("a permit that is released three times comes back once", async () => {
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
    likely: shows((got) => {
      if (got["in flight"] === 1) return "Releasing the permit did not give it back.";
      return got.granted > 1 ? "Three releases of one permit counted as more than one." : undefined;
    }),
    lookAt: lookAtRelease,
    hint: 2,
  });
});

test("a second release gives back nobody else's permit", async () => {
  await check({
    sent: "a limit of 3, three permits: the first is released twice; then it is taken again, and the old first permit is released once more; how many are in flight after each",
    expected: { "released twice": 2, "taken again": 3, "released once more": 3 },
    got: () => {
      const limit = new ConcurrencyLimit(3);
      const [first] = [1, 2, 3].map(() => limit.tryAcquire());
      first?.release();
      first?.release();
      const twice = limit.inFlight;
      limit.tryAcquire();
      const again = limit.inFlight;
      first?.release();
      return { "released twice": twice, "taken again": again, "released once more": limit.inFlight };
    },
    likely: shows((got) => {
      if (got["released twice"] === 3) return "Releasing the permit did not give it back.";
      if (got["released twice"] < 2) return "The second release gave back a permit that somebody else holds.";
      return got["released once more"] < 3
        ? "The old permit gave back the permit of whoever took it next."
        : undefined;
    }),
    lookAt: lookAtRelease,
    hint: 2,
  });
});

test("a request that fails gives its permit back, and its error is passed on", async () => {
  await check({
    sent: "a limit of 1: the cell works for a while, then serve rejects with ECONNREFUSED",
    expected: { rejected: "with the same error", "in flight": 0, listening: 0 },
    got: async () => {
      const limit = new ConcurrencyLimit(1);
      const client = new EventEmitter();
      const cell = heldCell();
      const request = limited(limit, client, cell.serve).then(
        (result) => result,
        (error: unknown) => error,
      );
      await cell.begun();
      const refused = new Error("ECONNREFUSED");
      cell.fail(refused);
      const result = await within(1000, "the request to end", request);
      await settled();
      return {
        rejected: result === refused ? "with the same error" : String(result),
        "in flight": limit.inFlight,
        listening: listening(client),
      };
    },
    likely: shows((got) => {
      if (got.rejected.includes("Error"))
        return "The caller gets another error than the one that ended `serve`.";
      if (got.rejected !== "with the same error") return "The caller hears nothing of the error.";
      return leftBehind(got);
    }),
    lookAt,
    hint: 1,
  });
});

test("an error before the first await gives the permit back, too", async () => {
  await check({
    sent: "a limit of 1: serve is not an async function, and throws instead of returning a promise",
    expected: { result: "rejected: no such cell", "in flight": 0, listening: 0 },
    got: async () => {
      const limit = new ConcurrencyLimit(1);
      const client = new EventEmitter();
      const failing = limited(limit, client, () => {
        throw new Error("no such cell");
      });
      const result = await outcome(failing);
      await settled();
      return { result, "in flight": limit.inFlight, listening: listening(client) };
    },
    likely: shows((got) => {
      if (got.result.startsWith("rejected: waited")) return "The request never ended.";
      if (!got.result.startsWith("rejected")) return "The caller hears nothing of the error.";
      if (got.result !== "rejected: no such cell")
        return "The caller gets another error than the one that `serve` threw.";
      return leftBehind(got);
    }),
    lookAt,
    hint: 1,
  });
});

test("the permit stays taken until the cell has stopped, also when the client has left", async () => {
  for (const how of ["stops", "fails"] as const) {
    await check({
      sent: `a limit of 1: the client leaves while the cell works, and then the cell ${how}`,
      expected: {
        "signal aborted": true,
        "in flight while the cell works": 1,
        "in flight after that": 0,
        result: "client-left",
      },
      got: async () => {
        const limit = new ConcurrencyLimit(1);
        const client = new EventEmitter();
        const cell = heldCell();
        const request = limited(limit, client, cell.serve);
        const signal = await cell.begun();
        client.emit("close");
        await settled();
        const working = limit.inFlight;
        const aborted = signal.aborted;
        if (how === "stops") cell.stop();
        else cell.fail(new Error("cut"));
        const result = await outcome(request);
        await settled();
        return {
          "signal aborted": aborted,
          "in flight while the cell works": working,
          "in flight after that": limit.inFlight,
          result,
        };
      },
      likely: shows((got) => {
        if (!got["signal aborted"]) return "The signal was not aborted when the client left.";
        if (got["in flight while the cell works"] < 1)
          return "The permit came back when the client left, while the cell was still working.";
        if (got["in flight after that"] > 0) return "The cell had stopped, and the permit did not come back.";
        if (got["in flight after that"] < 0) return "The permit came back more than once.";
        return got.result === "rejected: cut"
          ? "The cell was cut off, and that was taken for a failure."
          : undefined;
      }),
      lookAt: "limited.ts, limited, what happens at close",
      hint: 3,
    });
  }
});

/** Ends when the signal is aborted: a cell whose request is cut. */
function cutAtAbort(how: "quietly" | "with an error"): Serve {
  return (signal) =>
    new Promise((resolve, reject) => {
      const end = () => (how === "quietly" ? resolve() : reject(new Error("aborted")));
      if (signal.aborted) end();
      else signal.addEventListener("abort", end);
    });
}

test("a client that leaves is no failure, and its permit comes back once", async () => {
  for (const how of ["quietly", "with an error"] as const) {
    await check({
      sent: `a limit of 3, two others in flight: the client leaves, and serve ends ${how}`,
      expected: { result: "client-left", "in flight": 2 },
      got: async () => {
        const limit = new ConcurrencyLimit(3);
        limit.tryAcquire();
        limit.tryAcquire();
        const client = new EventEmitter();
        const request = limited(limit, client, cutAtAbort(how));
        client.emit("close");
        const result = await outcome(request);
        await settled();
        return { result, "in flight": limit.inFlight };
      },
      likely: shows((got) => {
        if (got["in flight"] > 2) return "The permit did not come back.";
        if (got["in flight"] < 2) return "More than one permit came back.";
        if (got.result === "rejected: aborted")
          return "The error that the abort caused was taken for a failure.";
        return got.result === "ended" ? "It counts as served, although the client had left." : undefined;
      }),
      lookAt,
      hint: 3,
    });
  }
});

test("nothing is left listening on a connection that stays open", async () => {
  await check({
    sent: "100 requests on one connection, every third fails; how many listeners to its close there are afterwards",
    expected: 0,
    got: async () => {
      const limit = new ConcurrencyLimit(1);
      const client = new EventEmitter();
      client.setMaxListeners(0);
      for (let i = 0; i < 100; i++) {
        await outcome(
          limited(limit, client, async () => {
            if (i % 3 === 0) throw new Error("failed");
          }),
        );
      }
      await settled();
      return listening(client);
    },
    likely: shows((count) => {
      if (count === 100) return "Every request left its listener behind.";
      return count === 34
        ? "Each request that failed left its listener behind."
        : "Not every listener was removed.";
    }),
    lookAt: "limited.ts, limited, client.once",
    hint: 3,
  });
});

test("the listeners of others on the same connection stay", async () => {
  await check({
    sent: "two requests on one connection, and a listener of the connection's own: the first request ends, then the client leaves",
    expected: { first: "ended", "own listener called": true, second: "client-left" },
    got: async () => {
      const limit = new ConcurrencyLimit(2);
      const client = new EventEmitter();
      let called = false;
      client.on("close", () => {
        called = true;
      });
      const second = limited(limit, client, cutAtAbort("quietly"));
      const first = await outcome(limited(limit, client, async () => {}));
      await settled();
      client.emit("close");
      return { first, "own listener called": called, second: await outcome(second) };
    },
    likely: shows((got) => {
      if (!got["own listener called"]) return "A request took away a listener that is not its own.";
      return got.second.startsWith("rejected: waited")
        ? "The second request was not told that its client left."
        : undefined;
    }),
    lookAt: "limited.ts, limited, client.off",
    hint: 3,
  });
});

test("a limit that changes keeps its permits, and no limit still counts", async () => {
  await check({
    sent: "a limit of 3 with 2 permits out becomes 1: how many it grants then, and after each release; then no limit, and ten permits",
    expected: { limit: 1, granted: [false, false, true], "in flight without a limit": 11 },
    got: () => {
      const limit = new ConcurrencyLimit(3);
      const out = [limit.tryAcquire(), limit.tryAcquire()];
      limit.reconfigure(1);
      const granted = [limit.tryAcquire() !== undefined];
      for (const permit of out) {
        permit?.release();
        granted.push(limit.tryAcquire() !== undefined);
      }
      const now = limit.limit;
      limit.reconfigure(undefined);
      for (let i = 0; i < 10; i++) limit.tryAcquire();
      return { limit: now, granted, "in flight without a limit": limit.inFlight };
    },
    likely: shows(({ limit, granted, ...got }) => {
      if (limit === 3) return "The new limit did not take effect.";
      if (granted[0] || granted[1]) return "A permit that was out when the limit changed no longer counts.";
      if (!granted[2]) return "A permit that was out when the limit changed did not come back.";
      return got["in flight without a limit"] < 11
        ? "Permits are not counted while there is no limit."
        : undefined;
    }),
    lookAt: "concurrency-limit.ts, ConcurrencyLimit",
  });
});

test("a limit below 1, or one that is not a number, is refused", async () => {
  await check({
    sent: "new ConcurrencyLimit(0), (NaN) and (1), and reconfigure(0)",
    expected: ["RangeError", "RangeError", "limit 1", "RangeError"],
    got: () =>
      [0, Number.NaN, 1]
        .map((limit) => said(() => new ConcurrencyLimit(limit).limit))
        .concat(
          said(() => {
            const limit = new ConcurrencyLimit(1);
            limit.reconfigure(0);
            return limit.limit;
          }),
        ),
    likely: shows(([zero = "", nan = "", one, later = ""]) => {
      if (one !== "limit 1") return "A limit of 1 was refused.";
      return [zero, nan, later].some((each) => each.startsWith("limit"))
        ? "A limit that admits nobody was accepted."
        : undefined;
    }),
    lookAt: "concurrency-limit.ts, checked",
  });
});

function said(limit: () => number): string {
  try {
    return `limit ${limit()}`;
  } catch (error) {
    return (error as Error).name;
  }
}
