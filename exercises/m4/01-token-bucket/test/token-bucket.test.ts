import { test } from "vitest";
import { check, type Outcome } from "../../../support/check.ts";
import { TokenBucket } from "../starter/token-bucket.ts";

/** The burst is smaller than what the rate brings in a second, so that neither can stand in for the other. */
const settings = { ratePerSecond: 10, burst: 5 };
const lookAt = "token-bucket.ts, TokenBucket, how the bucket fills";
const lookAtTake = "token-bucket.ts, TokenBucket.tryTake";

/** For `likely`: what a returned value shows. An error speaks for itself. */
const shows =
  <T>(say: (got: T) => string | undefined) =>
  (outcome: Outcome<T>) =>
    outcome.kind === "returned" ? say(outcome.value) : undefined;

/** How many of `count` requests at `atMs` come through. */
function taken(bucket: TokenBucket, count: number, atMs: number): number {
  let through = 0;
  for (let i = 0; i < count; i++) if (bucket.tryTake(atMs).ok) through += 1;
  return through;
}

/** Milliseconds that the bucket asks for; 0 when it gives a token. */
function wait(bucket: TokenBucket, atMs: number): number {
  const result = bucket.tryTake(atMs);
  return result.ok ? 0 : result.retryAfterMs;
}

function emptied(ratePerSecond: number, burst: number): TokenBucket {
  const bucket = new TokenBucket({ ratePerSecond, burst }, 0);
  taken(bucket, burst, 0);
  return bucket;
}

test("a new bucket lets exactly one burst through at once", async () => {
  await check({
    sent: "25 requests at 0 ms: to a bucket with 10 a second and burst 5, and to one with 2 a second and burst 7",
    expected: [5, 7],
    got: () => [
      taken(new TokenBucket(settings, 0), 25, 0),
      taken(new TokenBucket({ ratePerSecond: 2, burst: 7 }, 0), 25, 0),
    ],
    likely: shows(([first = 0, second = 0]) => {
      if (first > 5 || second > 7) return "A new bucket gave more tokens than a burst.";
      if (second === 2) return "The second bucket held what its rate brings in a second, not its burst.";
      return "A new bucket was not full, or a request took more than one token.";
    }),
    lookAt: lookAtTake,
  });
});

test("it never lets more through than a burst and what the rate brought", async () => {
  await check({
    sent: "10 a second, burst 5: one request at 0 ms, then 20 at 499 ms and 20 at 500 ms",
    expected: { "at 0 ms": 1, "at 499 ms": 5, "at 500 ms": 0 },
    got: () => {
      const bucket = new TokenBucket(settings, 0);
      const first = taken(bucket, 1, 0);
      const before = taken(bucket, 20, 499);
      return { "at 0 ms": first, "at 499 ms": before, "at 500 ms": taken(bucket, 20, 500) };
    },
    likely: shows((got) => {
      if (got["at 0 ms"] === 0) return "A new bucket refused its first request: it was empty.";
      if (got["at 499 ms"] > 5) return "More than 5 came through at once: the bucket held more than a burst.";
      if (got["at 499 ms"] + got["at 500 ms"] > 5)
        return "More than a burst came through in 1 ms: something filled the bucket between 499 ms and 500 ms.";
      return got["at 499 ms"] === 4 ? "The token that was taken at 0 ms was not back at 499 ms." : undefined;
    }),
    lookAt,
    hint: 1,
  });
});

test("part of the time brings that part of the tokens", async () => {
  await check({
    sent: "10 a second, burst 5: emptied at 0 ms, then 20 requests at 300 ms",
    expected: 3,
    got: () => taken(emptied(10, 5), 20, 300),
    likely: shows((through) => {
      if (through === 0) return "300 ms brought no token: they come later and all together, or never.";
      if (through < 3)
        return "Less was there than 300 ms bring: some was lost, or a request took more than one token.";
      return "More came through than 300 ms can bring: the bucket fills too fast, or all at once.";
    }),
    lookAt,
    hint: 2,
  });
});

test("the wait counts the part of a token that is there already", async () => {
  await check({
    sent: "the wait from buckets emptied at 0 ms: 4 a second asked at 0 ms and at 125 ms, one every two seconds asked at 500 ms",
    expected: [250, 125, 1500],
    got: () => [wait(emptied(4, 3), 0), wait(emptied(4, 3), 125), wait(emptied(0.5, 3), 500)],
    likely: shows((waits) => {
      const [first = 0, second, third = 0] = waits;
      if (waits.some((each) => each <= 0))
        return "An emptied bucket gave a token too early, or named a wait that is over already.";
      if (second === 250 || third === 2000)
        return "The wait is that for a whole token, although part of one was there already.";
      if (first === 750) return "The first wait is as long as a whole burst takes.";
      if (third <= 2) return "The waits look like seconds.";
      return undefined;
    }),
    lookAt: "token-bucket.ts, TokenBucket.tryTake, retryAfterMs",
    hint: 3,
  });
});

test("the wait that it names is the shortest after which a token is there", async () => {
  await check({
    sent: "3 a second, burst 10: emptied at 0 ms, asked at 100 ms, then at the named time and 1 ms before it",
    expected: { wait: 234, "1 ms before": "refused", "at the time": "a token" },
    got: () => {
      const bucket = emptied(3, 10);
      const named = wait(bucket, 100);
      const early = emptied(3, 10).tryTake(100 + named - 1).ok ? "a token" : "refused";
      const onTime = bucket.tryTake(100 + named).ok ? "a token" : "refused";
      return { wait: named, "1 ms before": early, "at the time": onTime };
    },
    likely: shows((got) => {
      if (got.wait <= 0)
        return "At 100 ms the bucket gave a token too early, or named a wait that is over already.";
      if (!Number.isInteger(got.wait)) return "The wait is not a whole number of milliseconds.";
      if (got.wait < 234)
        return got["at the time"] === "refused"
          ? "The wait ends before the token can be there."
          : "A token was there too early: the bucket holds more than the rate has brought.";
      if (got["at the time"] === "refused")
        return "The wait was long enough, but no token was there: either asking cost something, or tokens come late.";
      if (got["1 ms before"] === "a token") return "The wait is too long: a token was there before its end.";
      return "No token came in all that time: the bucket fills in steps, and the wait follows them.";
    }),
    lookAt: "token-bucket.ts, TokenBucket.tryTake, retryAfterMs",
    hint: 3,
  });
});

test("a refused request costs nothing", async () => {
  await check({
    sent: "10 a second, burst 5: emptied at 0 ms, 50 more at 0 ms that are refused, then 3 at 100 ms",
    expected: 1,
    got: () => {
      const bucket = emptied(10, 5);
      taken(bucket, 50, 0);
      return taken(bucket, 3, 100);
    },
    likely: shows((through) =>
      through === 0
        ? "100 ms later there was still no token: either the refusals cost something, or 100 ms bring nothing."
        : "More came through than the one token that 100 ms bring.",
    ),
    lookAt: lookAtTake,
    hint: 2,
  });
});

test("asking often loses no fraction of a token", async () => {
  await check({
    sent: "10 a second, burst 5: emptied at 0 ms, then a request every 10 ms until 1,000 ms",
    expected: 10,
    got: () => {
      const bucket = emptied(10, 5);
      let through = 0;
      for (let atMs = 10; atMs <= 1000; atMs += 10) through += taken(bucket, 1, atMs);
      return through;
    },
    likely: shows((through) => {
      if (through > 10)
        return "More came through than the rate brings in a second: some time may have counted twice.";
      if (through === 0)
        return "Whoever asks every 10 ms never gets a token: the fraction is dropped, or each refusal costs as much.";
      if (through === 9)
        return "One token is missing: a fraction was dropped, or ten tenths added up to slightly less than 1 in floating point.";
      return "Tokens are missing: some were dropped, came in steps and too late, or were taken two at a time.";
    }),
    lookAt,
    hint: 3,
  });
});

test("in the long run exactly the rate comes through", async () => {
  await check({
    sent: "10 a second, burst 5: 10 requests at once at 0 ms, 250 ms, 500 ms … for 60 s",
    expected: 605,
    got: () => {
      const bucket = new TokenBucket(settings, 0);
      let through = 0;
      for (let atMs = 0; atMs <= 60_000; atMs += 250) through += taken(bucket, 10, atMs);
      return through;
    },
    likely: shows((through) => {
      if (through > 605) return "More came through than the rate brings: some time may have counted twice.";
      if (through === 5)
        return "After the first burst nothing came through: it never fills again, or refusals keep it empty.";
      if (through === 485)
        return "Only 2 of the 2.5 tokens of every 250 ms came through: the fraction is dropped.";
      return "Part of what the rate brought was lost, or a request took more than one token.";
    }),
    lookAt,
    hint: 2,
  });
});

test("requests at irregular times get the tokens that the rate brought", async () => {
  // Counted in eighths of a token, which one token a second brings every 125 ms: exact, whatever adds them up.
  await check({
    sent: "1 a second, burst 3: 300 requests, each 0 to 2,250 ms after the last one; the first outcome that is wrong",
    expected: "none",
    got: () => {
      const bucket = new TokenBucket({ ratePerSecond: 1, burst: 3 }, 0);
      let [seed, atMs, eighths] = [7, 0, 24];
      for (let request = 1; request <= 300; request++) {
        seed = (seed * 48_271) % 2_147_483_647;
        const step = seed % 3 === 0 ? seed % 19 : seed % 5;
        atMs += step * 125;
        eighths = Math.min(24, eighths + step);
        const there = `request ${request}, at ${atMs} ms with ${eighths / 8} tokens in the bucket`;
        const { ok } = bucket.tryTake(atMs);
        if (ok !== eighths >= 8) return `${there}: ${ok ? "let through" : "refused"}`;
        if (ok) eighths -= 8;
      }
      return "none";
    },
    likely: shows((got) =>
      got.endsWith("refused")
        ? "The bucket held less than it should at that moment."
        : "The bucket held more than it may at that moment.",
    ),
    lookAt,
    hint: 3,
  });
});

test("a quiet night saves up one burst and not more", async () => {
  await check({
    sent: "10 a second, burst 5: emptied at 0 ms, then 500 requests eight hours later, and 3 more 100 ms after those",
    expected: [5, 1],
    got: () => {
      const bucket = emptied(10, 5);
      return [taken(bucket, 500, 8 * 3_600_000), taken(bucket, 3, 8 * 3_600_000 + 100)];
    },
    likely: shows(([first = 0, second = 0]) => {
      if (first > 5) return "More than a burst was there after the night: the bucket went on filling.";
      if (first < 5) return "A whole night did not fill the bucket, or a request took more than one token.";
      if (second === 0)
        return "A burst was there after the night, but no token 100 ms later: the refusals cost something, or it came late.";
      return "More than the token of the last 100 ms was there: something beyond a burst was kept.";
    }),
    lookAt,
    hint: 2,
  });
});

test("a clock that goes back brings no token", async () => {
  await check({
    sent: "10 a second, burst 5: emptied at 1,000 ms, then asked at 0 ms, and 20 requests at 1,100 ms",
    expected: "{ 'at 0 ms': 0, 'at 1,100 ms': 1 } and not more",
    got: () => {
      const bucket = new TokenBucket(settings, 1000);
      taken(bucket, 5, 1000);
      return { "at 0 ms": taken(bucket, 1, 0), "at 1,100 ms": taken(bucket, 20, 1100) };
    },
    accept: (got) => got["at 0 ms"] === 0 && got["at 1,100 ms"] <= 1,
    likely: shows((got) => {
      if (got["at 1,100 ms"] > 5) return "More than a burst came through at 1,100 ms.";
      return got["at 0 ms"] > 0
        ? "Going back to 0 ms brought a token at once."
        : "More came through than 100 ms bring: the time from 0 ms to 1,000 ms flowed in again.";
    }),
    lookAt,
    hint: 3,
  });
});

test("a clock that goes back takes no token away", async () => {
  await check({
    sent: "10 a second, burst 5: 2 requests at 1,000 ms, 2 at 0 ms, and 2 at 1,100 ms",
    expected: "{ 'at 1,000 ms': 2, 'at 0 ms': 2, 'at 1,100 ms': 2 }",
    got: () => {
      const bucket = new TokenBucket(settings, 1000);
      const first = taken(bucket, 2, 1000);
      const back = taken(bucket, 2, 0);
      return { "at 1,000 ms": first, "at 0 ms": back, "at 1,100 ms": taken(bucket, 2, 1100) };
    },
    accept: (got) => Object.values(got).every((through) => through === 2),
    likely: shows((got) => {
      if (got["at 1,000 ms"] < 2) return undefined;
      if (got["at 0 ms"] < 2) return "Three tokens were left, and going back to 0 ms took them away.";
      if (got["at 1,100 ms"] < 2)
        return "A token is missing at 1,100 ms: going back cost something, or the last 100 ms brought nothing.";
      return undefined;
    }),
    lookAt,
    hint: 3,
  });
});

test("a new limit keeps the share that is in the bucket", async () => {
  await check({
    sent: "10 a second, burst 10: 5 requests at 0 ms; the limit becomes 20 a second, burst 40; 100 requests at 0 ms and 100 at 100 ms",
    expected: [20, 2],
    got: () => {
      const bucket = new TokenBucket({ ratePerSecond: 10, burst: 10 }, 0);
      taken(bucket, 5, 0);
      bucket.reconfigure({ ratePerSecond: 20, burst: 40 }, 0);
      return [taken(bucket, 100, 0), taken(bucket, 100, 100)];
    },
    likely: shows(([before, after]) => {
      if (before === 40) return "The new limit filled the bucket.";
      if (before === 5) return "The bucket kept its 5 tokens, which were half of it: now they are an eighth.";
      if (before !== 20) return undefined;
      if (after === 1) return "The old rate still fills the bucket.";
      if (after === 0)
        return "100 ms later there was no token: the refusals cost something, or it came late.";
      return undefined;
    }),
    lookAt: "token-bucket.ts, TokenBucket.reconfigure",
  });
});

test("a new limit counts the time before it at the old rate", async () => {
  await check({
    sent: "10 a second, burst 10: emptied at 0 ms; at 500 ms the limit becomes 1 a second, burst 10; 100 requests at 500 ms",
    expected: 5,
    got: () => {
      const bucket = emptied(10, 10);
      bucket.reconfigure({ ratePerSecond: 1, burst: 10 }, 500);
      return taken(bucket, 100, 500);
    },
    likely: shows((through) => {
      if (through === 0)
        return "The 500 ms before the change brought nothing: they were counted at the new rate, or not at all.";
      if (through === 10) return "The new limit filled the bucket.";
      return through < 5 ? "Part of what the old rate had brought is missing." : undefined;
    }),
    lookAt: "token-bucket.ts, TokenBucket.reconfigure",
    hint: 2,
  });
});

test("the level shows fractions, and looking at it changes nothing", async () => {
  await check({
    sent: "4 a second, burst 3: emptied at 0 ms; the level at 125 ms and at one hour; then a request at 0 ms and one at 250 ms",
    expected: { levels: [0.5, 3], "at 0 ms": "refused", "at 250 ms": "a token" },
    got: () => {
      const bucket = emptied(4, 3);
      const levels = [bucket.level(125), bucket.level(3_600_000)];
      const at0 = bucket.tryTake(0).ok ? "a token" : "refused";
      return { levels, "at 0 ms": at0, "at 250 ms": bucket.tryTake(250).ok ? "a token" : "refused" };
    },
    likely: shows(({ levels: [early, late = 0], ...got }) => {
      if (late > 3) return "The level rose above the burst.";
      if (early === 0) return "The level leaves out the half token that had flowed in.";
      if (got["at 0 ms"] === "a token") return "Looking at a later time filled the bucket.";
      if (early === 0.5 && got["at 250 ms"] === "refused")
        return "The token of 250 ms was not there: looking at the level or being refused cost something.";
      return undefined;
    }),
    lookAt: "token-bucket.ts, TokenBucket.level",
  });
});

test("a rate of 0 and a burst below 1 are refused with a RangeError", async () => {
  const outcome = (make: () => void) => {
    try {
      make();
      return "taken";
    } catch (error) {
      return error instanceof Error ? error.name : String(error);
    }
  };
  await check({
    sent: "new TokenBucket with 0 a second, with burst 0.5, and with 1 a second and burst 1; then reconfigure with 0 a second",
    expected: ["RangeError", "RangeError", "taken", "RangeError"],
    got: () => [
      outcome(() => new TokenBucket({ ratePerSecond: 0, burst: 5 }, 0)),
      outcome(() => new TokenBucket({ ratePerSecond: 1, burst: 0.5 }, 0)),
      outcome(() => new TokenBucket({ ratePerSecond: 1, burst: 1 }, 0)),
      outcome(() => new TokenBucket(settings, 0).reconfigure({ ratePerSecond: 0, burst: 5 }, 0)),
    ],
    likely: shows((got) => {
      const [rate, burst, one, pushed] = got;
      if (one !== "taken") return "A burst of exactly 1 was refused.";
      if (rate === "taken" || burst === "taken") return "The constructor took settings that cannot work.";
      return pushed === "taken" ? "`reconfigure` took a rate that the constructor refuses." : undefined;
    }),
    lookAt: "token-bucket.ts, the constructor and TokenBucket.reconfigure",
  });
});
