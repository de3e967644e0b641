import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { test } from "vitest";
import { FakeClock } from "../../../../shared/testkit/fake-clock.ts";
import { check, ifSilentOrGot, within } from "../../../support/check.ts";
import { untilDead } from "../starter/link-liveness.ts";

const isDead = (result: string | undefined): boolean => result?.startsWith("dead") === true;
const isWatched = (result: string | undefined): boolean => result === "still watching";

const limits = { pingEveryMs: 3_000, deadAfterMs: 6_000 };
const lookAt = "link-liveness.ts, untilDead";

interface Watch {
  readonly pingEveryMs: number;
  readonly deadAfterMs: number;
  /** What `graceMs` says at first. */
  readonly grace?: number;
}

/** A link that the test moves by hand, watched on a clock that the test moves by hand. */
function watched({ pingEveryMs, deadAfterMs, grace = 0 }: Watch = limits, stop = new AbortController()) {
  const clock = new FakeClock();
  const pingedAtMs: number[] = [];
  const link = {
    // What came before the watch began: both ends have said hello.
    moved: 5,
    grace,
    bytesReceived: () => link.moved,
    graceMs: () => link.grace,
    ping: () => void pingedAtMs.push(clock.now()),
  };
  const verdict = untilDead(link, clock, { pingEveryMs, deadAfterMs }, stop.signal);
  let result = "still watching";
  verdict.then(
    (dead) => {
      result = dead ? `dead at ${clock.now()} ms` : `stopped at ${clock.now()} ms`;
    },
    (error: Error) => {
      result = `rejected: ${error.message}`;
    },
  );
  return { clock, stop, link, pingedAtMs, result: () => result };
}

/** Watches a link that is silent, while each sleep takes as long as `tookMs` says. What came of it, and when. */
async function silentWhile(...tookMs: readonly number[]): Promise<string> {
  let nowMs = 0;
  let sleeps = 0;
  const stop = new AbortController();
  const slept = Promise.withResolvers<string>();
  const clock = {
    now: () => nowMs,
    sleep: async () => {
      const took = tookMs[sleeps];
      if (took === undefined) {
        slept.resolve("still watching");
        return new Promise<never>(() => {});
      }
      sleeps += 1;
      nowMs += took;
    },
  };
  const link = { bytesReceived: () => 0, graceMs: () => 0, ping: () => {} };
  const verdict = untilDead(link, clock, limits, stop.signal).then((dead) =>
    dead ? `dead after sleep ${sleeps}` : `stopped after sleep ${sleeps}`,
  );
  return within(1_000, "untilDead to sleep or to resolve", Promise.race([verdict, slept.promise]));
}

/** A real connection to a process of its own kind: `onPeer` is the other end. */
async function connected(onPeer: (peer: Socket) => void) {
  const peers: Socket[] = [];
  const server: Server = createServer((peer) => {
    peers.push(peer);
    peer.on("error", () => {});
    onPeer(peer);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const socket = connect(typeof address === "object" && address !== null ? address.port : 0, "127.0.0.1");
  await once(socket, "connect");
  const [clock, stop] = [new FakeClock(), new AbortController()];
  let result = "still watching";
  const link = {
    bytesReceived: () => socket.bytesRead,
    graceMs: () => 0,
    ping: () => void socket.write("?"),
  };
  return {
    clock,
    result: () => result,
    watch() {
      untilDead(link, clock, limits, stop.signal).then((dead) => {
        result = dead ? "dead" : "stopped";
      });
    },
    /** Resolves when `bytes` bytes have come from the other end. */
    answered: (bytes: number) =>
      new Promise<void>((resolve) => {
        const look = () => {
          if (socket.bytesRead < bytes) return;
          socket.off("data", look);
          resolve();
        };
        socket.on("data", look);
        look();
      }),
    async [Symbol.asyncDispose]() {
      stop.abort();
      for (const each of [socket, ...peers]) each.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

test("a link whose other end answers each ping stays", async () => {
  await check({
    sent: "twenty rounds of 3 s over a real connection, whose other end answers each ping with one byte",
    expected: "still watching",
    got: async () => {
      await using link = await connected((peer) => void peer.on("data", (bytes) => void peer.write(bytes)));
      link.watch();
      for (let round = 1; round <= 20; round++) {
        await within(1_000, `the answer to ping ${round}`, link.answered(round));
        await link.clock.advance(limits.pingEveryMs);
      }
      return link.result();
    },
    likely: ifSilentOrGot("In one of the rounds, no ping went out.", [
      (got) => isDead(got),
      "The other end answered every ping, but the link was called dead.",
    ]),
    lookAt,
  });
});

test("the first ping goes out at once, and then one every pingEveryMs", async () => {
  await check({
    sent: "a watch of 9 s on a living link; the times of the pings, in ms",
    expected: [0, 3_000, 6_000, 9_000],
    got: async () => {
      const { clock, link, stop, pingedAtMs } = watched();
      for (let round = 0; round < 3; round++) {
        link.moved += 2;
        await clock.advance(3_000);
      }
      stop.abort();
      return pingedAtMs;
    },
    likely: ifSilentOrGot(
      undefined,
      [([first]) => first === undefined, "No ping went out."],
      [([first]) => first !== 0, "The first ping did not go out at once."],
      [(got) => got.length < 4, "In one of the rounds, no ping went out."],
      [(got) => got.length > 4, "More than one ping went out per round."],
    ),
    lookAt,
  });
});

test("a link whose other end is gone is dead, even if every ping can be written", async () => {
  await check({
    sent: "a watch of 9 s over a real connection, whose other end accepted the connection and then did nothing",
    expected: "dead",
    got: async () => {
      await using link = await connected((peer) => void peer.pause());
      link.watch();
      await link.clock.advance(9_000);
      return link.result();
    },
    likely: ifSilentOrGot(undefined, [
      (got) => isWatched(got),
      "No byte has come for 9 s, but the link still counts as alive.",
    ]),
    lookAt,
    hint: 1,
  });
});

test("a silent link is dead when deadAfterMs have passed, and not earlier", async () => {
  await check({
    sent: "bytes just after the look at 3,000 ms, which the look at 6,000 ms sees; then silence",
    expected: { at11900: "still watching", at12000: "dead at 12000 ms" },
    got: async () => {
      const { clock, link, result } = watched();
      await clock.advance(3_000);
      link.moved += 1;
      await clock.advance(8_900);
      const at11900 = result();
      await clock.advance(100);
      return { at11900, at12000: result() };
    },
    likely: ifSilentOrGot(
      undefined,
      [
        ({ at11900 }) => isDead(at11900),
        "The link was called dead before it had been silent for deadAfterMs.",
      ],
      [
        ({ at12000 }) => isWatched(at12000),
        "deadAfterMs have passed since the last bytes were seen, but the link still counts as alive.",
      ],
    ),
    lookAt: "link-liveness.ts, aliveAtMs in untilDead",
    hint: 2,
  });
});

test("deadAfterMs need not be a number of whole rounds", async () => {
  await check({
    sent: "pingEveryMs 2,000 and deadAfterMs 5,000: a link that is silent from the start; the result at 4,900 ms and at 7,000 ms",
    expected: "still watching, then dead between 5,000 ms and 7,000 ms",
    got: async () => {
      const { clock, result, stop } = watched({ pingEveryMs: 2_000, deadAfterMs: 5_000 });
      await clock.advance(4_900);
      const early = result();
      await clock.advance(2_100);
      stop.abort();
      return [early, result()];
    },
    accept: ([early, late = ""]) => early === "still watching" && /^dead at (5|6|7)\d{3} ms$/.test(late),
    likely: ifSilentOrGot(
      undefined,
      [([early]) => isDead(early), "The link was called dead before deadAfterMs had passed."],
      [
        ([, late]) => isWatched(late),
        "The link has been silent for deadAfterMs and one more round, but still counts as alive.",
      ],
    ),
    lookAt,
    hint: 2,
  });
});

test("a link that lived for an hour and then fell silent is dead", async () => {
  await check({
    sent: "an hour with bytes in each round, then 9 s of silence",
    expected: "dead between 3606000 ms and 3609000 ms",
    got: async () => {
      const { clock, link, result } = watched();
      for (let round = 0; round < 1_200; round++) {
        link.moved += 2;
        await clock.advance(3_000);
      }
      await clock.advance(9_000);
      return result();
    },
    accept: (result) => /^dead at 360[6-9]000 ms$/.test(result),
    likely: ifSilentOrGot(
      undefined,
      [(got) => isWatched(got), "The link has been silent for 9 s, but still counts as alive."],
      [
        (got) => isDead(got) && Number.parseInt(got.slice(8), 10) < 3_606_000,
        "The link was called dead before it had been silent for deadAfterMs.",
      ],
    ),
    lookAt: "link-liveness.ts, the comparison of bytesReceived in untilDead",
    hint: 2,
  });
});

test("one silent look between two answers is not death", async () => {
  await check({
    sent: "ten times: a round without bytes, then a round with bytes",
    expected: "still watching",
    got: async () => {
      const { clock, link, stop, result } = watched();
      for (let round = 0; round < 10; round++) {
        await clock.advance(3_000);
        link.moved += 2;
        await clock.advance(3_000);
      }
      const said = result();
      stop.abort();
      return said;
    },
    likely: ifSilentOrGot(undefined, [
      (got) => isDead(got),
      "Bytes came in every second round, but the link was called dead.",
    ]),
    lookAt,
  });
});

test("an end that has much to read gets graceMs on top", async () => {
  await check({
    sent: "a silent link with a graceMs of 4,000 ms; the result at 9,900 ms and at 15,000 ms",
    expected: "still watching, then dead between 10,000 ms and 13,000 ms",
    got: async () => {
      const { clock, result, stop } = watched({ ...limits, grace: 4_000 });
      await clock.advance(9_900);
      const early = result();
      await clock.advance(5_100);
      stop.abort();
      return [early, result()];
    },
    accept: ([early, late = ""]) => early === "still watching" && /^dead at 1[0123]\d{3} ms$/.test(late),
    likely: ifSilentOrGot(
      undefined,
      [
        ([early]) => isDead(early),
        "The link was called dead before deadAfterMs and graceMs together had passed.",
      ],
      [
        ([, late]) => isWatched(late),
        "deadAfterMs, graceMs and one more round have passed in silence, but the link still counts as alive.",
      ],
    ),
    lookAt: "link-liveness.ts, the time limit in untilDead",
    hint: 2,
  });
});

test("graceMs is asked at each look", async () => {
  await check({
    sent: "a silent link whose graceMs is Infinity for 60 s, and 0 from then on; the result at 60 s and at 69 s",
    expected: "still watching, then dead",
    got: async () => {
      const { clock, link, result, stop } = watched({ ...limits, grace: Number.POSITIVE_INFINITY });
      await clock.advance(60_000);
      const early = result();
      link.grace = 0;
      await clock.advance(9_000);
      stop.abort();
      return [early, result()];
    },
    accept: ([early, late = ""]) => early === "still watching" && late.startsWith("dead at "),
    likely: ifSilentOrGot(
      undefined,
      [([early]) => isDead(early), "The link was called dead while graceMs was still Infinity."],
      [
        ([, late]) => isWatched(late),
        "graceMs has been 0 for 9 s of silence, but the link still counts as alive.",
      ],
    ),
    lookAt: "link-liveness.ts, the time limit in untilDead",
    hint: 2,
  });
});

test("a process that stood still does not blame the other end", async () => {
  await check({
    sent: "three sleeps of 3 s without bytes, of which each takes 10 s, or each takes 60 s",
    expected: ["still watching", "still watching"],
    got: async () => [await silentWhile(10_000, 10_000, 10_000), await silentWhile(60_000, 60_000, 60_000)],
    likely: ifSilentOrGot(undefined, [
      (got) => got.some(isDead),
      "The link was called dead after a sleep that took far too long. During that sleep, this process read no bytes.",
    ]),
    lookAt: "link-liveness.ts, after the sleep in untilDead",
    hint: 3,
  });
});

test("a process that stood still once still finds a dead link", async () => {
  await check({
    sent: "sleeps of 3 s without bytes: the first takes 10 s, the others 3 s each",
    expected: "dead after sleep 2, 3 or 4",
    got: () => silentWhile(10_000, 3_000, 3_000, 3_000, 3_000),
    accept: (result) => /^dead after sleep [234]$/.test(result),
    likely: ifSilentOrGot(
      undefined,
      [(got) => got === "dead after sleep 1", "The link was called dead at the late look itself."],
      [
        (got) => isWatched(got),
        "One look was late and four were on time. None saw a byte, but the link still counts as alive.",
      ],
    ),
    lookAt: "link-liveness.ts, after the sleep in untilDead",
    hint: 3,
  });
});

test("a sleep that takes a moment longer is no excuse", async () => {
  await check({
    sent: "sleeps of 3 s without bytes, which take 3,050 ms each",
    expected: "dead after sleep 2",
    got: () => silentWhile(3_050, 3_050, 3_050, 3_050, 3_050),
    likely: ifSilentOrGot(
      undefined,
      [(got) => isWatched(got), "Each look was 50 ms late, and the silent link was never called dead."],
      [(got) => got === "dead after sleep 1", "The link was called dead before deadAfterMs had passed."],
      [
        (got) => isDead(got) && got !== "dead after sleep 2",
        "deadAfterMs had passed at the second look, but only a later one called the link dead.",
      ],
    ),
    lookAt: "link-liveness.ts, after the sleep in untilDead",
    hint: 3,
  });
});

test("whoever stops watching hears false", async () => {
  await check({
    sent: "a watch of 4 s on a living link, then abort; the result 60 s later",
    expected: "stopped",
    got: async () => {
      const { clock, link, stop, result } = watched();
      link.moved += 2;
      await clock.advance(4_000);
      stop.abort();
      await clock.advance(60_000);
      return result().split(" at ")[0] ?? "";
    },
    likely: ifSilentOrGot(
      undefined,
      [(got) => isDead(got), "The watch was stopped, but its result is that the link is dead."],
      [(got) => isWatched(got), "60 s after the abort, the watch is still running."],
      [(got) => got.startsWith("rejected"), "The abort came out of untilDead as an error."],
    ),
    lookAt: "link-liveness.ts, the sleep in untilDead",
  });
});

test("whoever stops watching hears it at once, and nothing sleeps on", async () => {
  await check({
    sent: "a watch of 4 s on a living link, then abort; and a watch whose signal was aborted before",
    expected: { result: "stopped at 4000 ms", sleeping: 0, before: "stopped at 0 ms" },
    got: async () => {
      const { clock, link, stop, result } = watched();
      link.moved += 2;
      await clock.advance(4_000);
      stop.abort();
      await clock.advance(0);
      const aborted = new AbortController();
      aborted.abort();
      const before = watched(limits, aborted);
      await before.clock.advance(0);
      return { result: result(), sleeping: clock.sleeping, before: before.result() };
    },
    likely: ifSilentOrGot(
      undefined,
      [
        ({ result, before }) => isDead(result) || isDead(before),
        "A watch was stopped, but its result is that the link is dead.",
      ],
      [({ result }) => isWatched(result), "The watch goes on after the abort."],
      [({ sleeping }) => sleeping > 0, "A sleep goes on after the abort."],
      [
        ({ before }) => isWatched(before),
        "The signal had been aborted before the watch began, but the watch goes on.",
      ],
    ),
    lookAt: "link-liveness.ts, the sleep in untilDead",
  });
});
