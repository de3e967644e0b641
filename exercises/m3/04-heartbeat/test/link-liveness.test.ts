import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { test } from "vitest";
import { FakeClock } from "../../../../shared/testkit/fake-clock.ts";
import { check, within } from "../../../support/check.ts";
import { untilDead } from "../starter/link-liveness.ts";

const limits = { pingEveryMs: 3_000, deadAfterMs: 6_000 };
const lookAt = "link-liveness.ts, untilDead";

/** A link that the test moves by hand, watched on a clock that the test moves by hand. */
function watched() {
  const clock = new FakeClock();
  const stop = new AbortController();
  const pingedAtMs: number[] = [];
  const link = {
    moved: 0,
    bytesReceived: () => link.moved,
    graceMs: () => 0,
    ping: () => void pingedAtMs.push(clock.now()),
  };
  const verdict = untilDead(link, clock, limits, stop.signal);
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
    likely: "A living link is thrown away, or it is not pinged each time.",
    lookAt,
  });
});

test("the first ping goes out at once, and then one each pingEveryMs", async () => {
  await check({
    sent: "a watch of 9 s; the times of the pings, in ms",
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
    likely: "Without a ping a quiet link has nothing to answer.",
    lookAt,
  });
});

test("a link whose other end is there no more is dead, though every ping can be written", async () => {
  await check({
    sent: "a watch of 12 s over a real connection, whose other end took the connection and then did nothing any more",
    expected: "dead",
    got: async () => {
      await using link = await connected((peer) => void peer.pause());
      link.watch();
      await link.clock.advance(12_000);
      return link.result();
    },
    likely: "Something that this end did by itself counts as a sign of life.",
    lookAt,
    hint: 1,
  });
});

test("a silent link is dead when deadAfterMs have passed, and not earlier", async () => {
  await check({
    sent: "bytes until just after the look at 3,000 ms, which the look at 6,000 ms sees; then silence",
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
    likely: "The time runs from the look that last saw something move.",
    lookAt: "link-liveness.ts, aliveAtMs in untilDead",
    hint: 2,
  });
});

test("a link that lived for an hour and then fell silent is dead", async () => {
  await check({
    sent: "an hour with bytes in each round, then 9 s of silence",
    expected: "dead at 3606000 ms",
    got: async () => {
      const { clock, link, result } = watched();
      for (let round = 0; round < 1_200; round++) {
        link.moved += 2;
        await clock.advance(3_000);
      }
      await clock.advance(9_000);
      return result();
    },
    likely: "What moved long ago still counts as life.",
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
    likely: "An answer may come just after the look. The limit is deadAfterMs, not one round.",
    lookAt,
  });
});

test("a process that stood still does not blame the other end", async () => {
  await check({
    sent: "three sleeps of 3 s that take a minute each, without bytes in between; then the watch is stopped",
    expected: "stopped",
    got: async () => {
      let nowMs = 0;
      let sleeps = 0;
      const stop = new AbortController();
      const clock = {
        now: () => nowMs,
        sleep: async () => {
          sleeps += 1;
          if (sleeps > 3) {
            stop.abort();
            throw stop.signal.reason;
          }
          nowMs += 60_000;
        },
      };
      const link = { bytesReceived: () => 0, graceMs: () => 0, ping: () => {} };
      const dead = await within(1_000, "untilDead to resolve", untilDead(link, clock, limits, stop.signal));
      return dead ? `dead after sleep ${sleeps}` : "stopped";
    },
    likely: "A minute passed, but nobody was listening for a minute.",
    lookAt: "link-liveness.ts, after the sleep in untilDead",
    hint: 3,
  });
});

test("who stops watching hears false at once, and nothing sleeps on", async () => {
  await check({
    sent: "a watch of 4 s on a living link, then abort",
    expected: { result: "stopped at 4000 ms", sleeping: 0 },
    got: async () => {
      const { clock, link, stop, result } = watched();
      link.moved += 2;
      await clock.advance(4_000);
      stop.abort();
      await clock.advance(0);
      return { result: result(), sleeping: clock.sleeping };
    },
    likely: "A link that ended in order is reported as dead, or its watch outlives it.",
    lookAt: "link-liveness.ts, the sleep in untilDead",
  });
});
