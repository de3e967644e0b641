import { test } from "vitest";
import { check } from "../../../support/check.ts";
import { TokenBucket } from "../starter/token-bucket.ts";

const settings = { ratePerSecond: 10, burst: 10 };
const lookAt = "token-bucket.ts, TokenBucket, how the bucket fills";

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

test("a new bucket lets exactly one burst through at once", async () => {
  await check({
    sent: "10 a second, burst 10: 25 requests at 0 ms",
    expected: 10,
    got: () => taken(new TokenBucket(settings, 0), 25, 0),
    likely: "A new bucket is full, and each request takes one token.",
    lookAt: "token-bucket.ts, TokenBucket.tryTake",
  });
});

test("it never lets more through than a burst and what the rate brought", async () => {
  await check({
    sent: "10 a second, burst 10: one request at 0 ms, then 20 at 999 ms and 20 at 1,000 ms",
    expected: { "at 0 ms": 1, "at 999 ms": 10, "at 1,000 ms": 0 },
    got: () => {
      const bucket = new TokenBucket(settings, 0);
      const first = taken(bucket, 1, 0);
      const before = taken(bucket, 20, 999);
      return { "at 0 ms": first, "at 999 ms": before, "at 1,000 ms": taken(bucket, 20, 1000) };
    },
    likely:
      "Time is cut into windows: the end of one and the start of the next bring two bursts in one millisecond.",
    lookAt,
    hint: 1,
  });
});

test("half the time brings half the tokens", async () => {
  await check({
    sent: "10 a second, burst 10: emptied at 0 ms, then 20 requests at 500 ms",
    expected: 5,
    got: () => {
      const bucket = new TokenBucket(settings, 0);
      taken(bucket, 10, 0);
      return taken(bucket, 20, 500);
    },
    likely: "Nothing flows in until a whole window is over.",
    lookAt,
    hint: 2,
  });
});

test("the wait that it names is the shortest after which a token is there", async () => {
  await check({
    sent: "3 a second, burst 10: emptied at 0 ms, asked at 100 ms, then at the named time and 1 ms before it",
    expected: { wait: 234, "1 ms before": "refused", "at the time": "a token" },
    got: () => {
      const emptied = () => {
        const bucket = new TokenBucket({ ratePerSecond: 3, burst: 10 }, 0);
        taken(bucket, 10, 0);
        return bucket;
      };
      const bucket = emptied();
      const named = wait(bucket, 100);
      const early = emptied().tryTake(100 + named - 1).ok ? "a token" : "refused";
      const onTime = bucket.tryTake(100 + named).ok ? "a token" : "refused";
      return { wait: named, "1 ms before": early, "at the time": onTime };
    },
    likely: "The wait is that for a whole window, or forgets the part of a token that is there already.",
    lookAt: "token-bucket.ts, TokenBucket.tryTake, retryAfterMs",
    hint: 3,
  });
});

test("a refused request costs nothing", async () => {
  await check({
    sent: "10 a second, burst 10: emptied at 0 ms, 50 more at 0 ms that are refused, then 3 at 100 ms",
    expected: 1,
    got: () => {
      const bucket = new TokenBucket(settings, 0);
      taken(bucket, 60, 0);
      return taken(bucket, 3, 100);
    },
    likely: "100 ms bring one token; nobody who was refused has a share in it.",
    lookAt: "token-bucket.ts, TokenBucket.tryTake",
    hint: 2,
  });
});

test("asking often loses no fraction of a token", async () => {
  await check({
    sent: "10 a second, burst 10: emptied at 0 ms, then a request every 10 ms until 1,000 ms",
    expected: 10,
    got: () => {
      const bucket = new TokenBucket(settings, 0);
      taken(bucket, 10, 0);
      let through = 0;
      for (let atMs = 10; atMs <= 1000; atMs += 10) through += taken(bucket, 1, atMs);
      return through;
    },
    likely: "Each look brings a tenth of a token, and it is rounded away, or comes only once a window.",
    lookAt,
    hint: 3,
  });
});

test("in the long run exactly the rate comes through", async () => {
  await check({
    sent: "10 a second, burst 10: 10 requests at once at 0 ms, 250 ms, 500 ms … for 60 s",
    expected: 610,
    got: () => {
      const bucket = new TokenBucket(settings, 0);
      let through = 0;
      for (let atMs = 0; atMs <= 60_000; atMs += 250) through += taken(bucket, 10, atMs);
      return through;
    },
    likely:
      "The first burst and ten a second for sixty seconds: something is lost on the way, or counted twice.",
    lookAt,
    hint: 2,
  });
});

test("a quiet night saves up one burst and not more", async () => {
  await check({
    sent: "10 a second, burst 10: emptied at 0 ms, then 500 requests eight hours later",
    expected: 10,
    got: () => {
      const bucket = new TokenBucket(settings, 0);
      taken(bucket, 10, 0);
      return taken(bucket, 500, 8 * 3_600_000);
    },
    likely: "What flows into a full bucket is lost.",
    lookAt,
    hint: 2,
  });
});

test("a clock that goes back brings no token", async () => {
  await check({
    sent: "10 a second, burst 10: emptied at 1,000 ms, then asked at 0 ms, and 20 requests at 1,100 ms",
    expected: { "at 0 ms": 0, "at 1,100 ms": 1 },
    got: () => {
      const bucket = new TokenBucket(settings, 1000);
      taken(bucket, 10, 1000);
      return { "at 0 ms": taken(bucket, 1, 0), "at 1,100 ms": taken(bucket, 20, 1100) };
    },
    likely:
      "The second from 0 ms to 1,000 ms has been paid out already; from 1,000 to 1,100 ms comes one token.",
    lookAt,
    hint: 3,
  });
});

test("a new limit keeps the share that is in the bucket", async () => {
  await check({
    sent: "10 a second, burst 10: 5 requests at 0 ms, then the limit becomes 20 a second, burst 40",
    expected: 20,
    got: () => {
      const bucket = new TokenBucket(settings, 0);
      taken(bucket, 5, 0);
      bucket.reconfigure({ ratePerSecond: 20, burst: 40 }, 0);
      return taken(bucket, 100, 0);
    },
    likely: "A bucket that was half full is half full afterwards.",
    lookAt: "token-bucket.ts, TokenBucket.reconfigure",
  });
});
