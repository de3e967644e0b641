import { test } from "vitest";
import { check } from "../../../support/check.ts";
import { type FinishedExchange, IdleConnections, persists, reusable } from "../starter/connection-reuse.ts";

const lookAtPersists = "connection-reuse.ts, persists";
const lookAtReusable = "connection-reuse.ts, reusable";

const nothingSaid = { close: false, keepAlive: false };
const keepAlive = { close: false, keepAlive: true };
const close = { close: true, keepAlive: false };

const bodies = ["length", "chunked", "none"] as const;

/** An exchange after which the connection can carry another. */
const sound: FinishedExchange = {
  minorVersion: 1,
  connection: keepAlive,
  body: "length",
  bytesBehind: 0,
  requestDone: true,
};

class NamedConnection {
  readonly name: string;
  destroyed = false;
  /** As in the stage: who is destroyed tells the pool, before `destroy` returns. */
  onGone = (): void => {};

  constructor(name: string) {
    this.name = name;
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.onGone();
  }
}

const connection = (name: string) => new NamedConnection(name);
const connections = (...names: string[]) => names.map(connection);
const destroyedOf = (all: readonly NamedConnection[]) =>
  all.filter(({ destroyed }) => destroyed).map(({ name }) => name);

/** Takes connections until there is none; bounded, should there be no end. */
function takeAll(pool: IdleConnections<NamedConnection>): string[] {
  const names: string[] = [];
  for (let i = 0; i < 10; i++) {
    const taken = pool.take();
    if (taken === undefined) break;
    names.push(taken.name);
  }
  return names;
}

test("HTTP/1.1 persists when nothing is said", async () => {
  await check({
    sent: "an HTTP/1.1 response without Connection, and one with Connection: keep-alive",
    expected: [true, true],
    got: () => [persists(1, nothingSaid), persists(1, keepAlive)],
    likely: "Since HTTP/1.1, a connection stays open unless one side says close. Nobody has to ask for it.",
    lookAt: lookAtPersists,
  });
});

test("close ends the connection in either version", async () => {
  await check({
    sent: "Connection: close, in HTTP/1.1 and in HTTP/1.0",
    expected: [false, false],
    got: () => [persists(1, close), persists(0, close)],
    likely: "The sender will close the connection. A request that is sent after that is lost.",
    lookAt: lookAtPersists,
  });
});

test("HTTP/1.0 persists only with keep-alive", async () => {
  await check({
    sent: "an HTTP/1.0 response without Connection, and one with Connection: keep-alive",
    expected: [false, true],
    got: () => [persists(0, nothingSaid), persists(0, keepAlive)],
    likely: "HTTP/1.0 closes after each response, unless it says that it does not.",
    lookAt: lookAtPersists,
    hint: 1,
  });
});

test("close counts more than keep-alive", async () => {
  await check({
    sent: "Connection: keep-alive, close, in HTTP/1.1 and in HTTP/1.0",
    expected: [false, false],
    got: () => [persists(1, { close: true, keepAlive: true }), persists(0, { close: true, keepAlive: true })],
    likely: "keep-alive is asked first. When two options contradict each other, the safe one must count.",
    lookAt: lookAtPersists,
    hint: 1,
  });
});

test("a connection is used again after a sound exchange", async () => {
  await check({
    sent: "responses that were framed by a length, by chunks, or had no body: in HTTP/1.1 with nothing said, and in HTTP/1.0 with keep-alive",
    expected: { "HTTP/1.1": [true, true, true], "HTTP/1.0": [true, true, true] },
    got: () => ({
      "HTTP/1.1": bodies.map((body) => reusable({ ...sound, connection: nothingSaid, body })),
      "HTTP/1.0": bodies.map((body) => reusable({ ...sound, minorVersion: 0, body })),
    }),
    likely:
      "A connection that could carry another request is thrown away, so each request pays for a new one.",
    lookAt: lookAtReusable,
  });
});

test("a connection that does not persist is not used again", async () => {
  await check({
    sent: "exchanges in HTTP/1.1 with close, in HTTP/1.0 with close, and in HTTP/1.0 with nothing said",
    expected: [false, false, false],
    got: () => [
      reusable({ ...sound, connection: close }),
      reusable({ ...sound, minorVersion: 0, connection: close }),
      reusable({ ...sound, minorVersion: 0, connection: nothingSaid }),
    ],
    likely: "What the sender means is not asked, or not by the version of its response.",
    lookAt: lookAtReusable,
    hint: 2,
  });
});

test("a response that lasts until the connection ends ends it", async () => {
  await check({
    sent: "an exchange whose response was framed until-close, with Connection: keep-alive, in HTTP/1.1 and in HTTP/1.0",
    expected: [false, false],
    got: () =>
      ([1, 0] as const).map((minorVersion) => reusable({ ...sound, minorVersion, body: "until-close" })),
    likely: "The fields say keep-alive, but the end of this body was the end of the connection.",
    lookAt: lookAtReusable,
    hint: 2,
  });
});

test("a connection with bytes behind the response is not used again", async () => {
  const counts = [1, 2, 4096];
  await check({
    sent: `exchanges with ${counts.join(", ")} bytes behind the end of the response, whose body was framed by ${bodies.join(", ")}`,
    expected: Object.fromEntries(counts.map((bytes) => [`${bytes} bytes`, [false, false, false]])),
    got: () =>
      Object.fromEntries(
        counts.map((bytesBehind) => [
          `${bytesBehind} bytes`,
          bodies.map((body) => reusable({ ...sound, body, bytesBehind })),
        ]),
      ),
    likely: "No request asked for these bytes. The next client would get them as its response.",
    lookAt: lookAtReusable,
    hint: 2,
  });
});

test("a connection whose request was not sent whole is not used again", async () => {
  await check({
    sent: `exchanges with a response before the request's body was sent; the response framed by ${bodies.join(", ")}`,
    expected: [false, false, false],
    got: () => bodies.map((body) => reusable({ ...sound, body, requestDone: false })),
    likely:
      "The response is complete, but the request is not: the cell takes the next request for the rest of this one.",
    lookAt: lookAtReusable,
    hint: 2,
  });
});

test("the connection used last is taken first", async () => {
  await check({
    sent: "give a, give b, give c, then take until there is none",
    expected: { taken: ["c", "b", "a"], idle: 0 },
    got: () => {
      const pool = new IdleConnections<NamedConnection>(8);
      for (const each of connections("a", "b", "c")) pool.give(each, sound);
      return { taken: takeAll(pool), idle: pool.size };
    },
    likely:
      "If the oldest comes first, each one is used just often enough to stay open, and always the one that the cell will close next.",
    lookAt: "connection-reuse.ts, take",
    hint: 3,
  });
});

test("a connection that is used again counts as the newest", async () => {
  await check({
    sent: "give a, give b, take twice, give b, give a, then take until there is none",
    expected: { "first two": ["b", "a"], "after that": ["a", "b"] },
    got: () => {
      const pool = new IdleConnections<NamedConnection>(8);
      const [a, b] = [connection("a"), connection("b")];
      pool.give(a, sound);
      pool.give(b, sound);
      const first = takeAll(pool);
      pool.give(b, sound);
      pool.give(a, sound);
      return { "first two": first, "after that": takeAll(pool) };
    },
    likely: "The order is that in which the connections were made, and not that of their last use.",
    lookAt: "connection-reuse.ts, take and give",
    hint: 3,
  });
});

test("a connection that cannot be used again is destroyed", async () => {
  await check({
    sent: "give a, after a response with Connection: close",
    expected: { destroyed: ["a"], idle: 0 },
    got: () => {
      const pool = new IdleConnections<NamedConnection>(8);
      const all = connections("a");
      for (const each of all) pool.give(each, { ...sound, connection: close });
      return { destroyed: destroyedOf(all), idle: pool.size };
    },
    likely: "It is neither kept nor destroyed: its socket stays open until the cell closes it.",
    lookAt: "connection-reuse.ts, give",
  });
});

test("no more than maxIdle connections wait, and one too many is destroyed", async () => {
  for (const maxIdle of [2, 1, 0]) {
    await check({
      sent: `maxIdle ${maxIdle}: give a, give b, give c; which of them is up to you`,
      expected: { idle: maxIdle, destroyed: 3 - maxIdle, "destroyed or idle, not both": true },
      got: () => {
        const pool = new IdleConnections<NamedConnection>(maxIdle);
        const all = connections("a", "b", "c");
        for (const each of all) pool.give(each, sound);
        const destroyed = destroyedOf(all);
        const idle = pool.size;
        const taken = takeAll(pool);
        const apart = taken.length === idle && taken.every((name) => !destroyed.includes(name));
        return { idle, destroyed: destroyed.length, "destroyed or idle, not both": apart };
      },
      likely:
        "The bound is asked one connection too late, or a connection is dropped without being destroyed.",
      lookAt: "connection-reuse.ts, give",
      hint: 3,
    });
  }
});

test("connections that were taken or are gone leave room for others", async () => {
  await check({
    sent: "maxIdle 2: give a and b; take both, give c and d; forget c and d, give e and f",
    expected: { destroyed: [], idle: 2 },
    got: () => {
      const pool = new IdleConnections<NamedConnection>(2);
      const [a, b, c, d, e, f] = connections("a", "b", "c", "d", "e", "f") as [
        NamedConnection,
        NamedConnection,
        NamedConnection,
        NamedConnection,
        NamedConnection,
        NamedConnection,
      ];
      for (const each of [a, b]) pool.give(each, sound);
      takeAll(pool);
      for (const each of [c, d]) pool.give(each, sound);
      for (const each of [c, d]) pool.forget(each);
      for (const each of [e, f]) pool.give(each, sound);
      // c and d are gone already: whether `forget` destroys them as well does not matter.
      return { destroyed: destroyedOf([a, b, e, f]), idle: pool.size };
    },
    likely: "The bound counts connections that no longer wait: maxIdle is about idle ones only.",
    lookAt: "connection-reuse.ts, give and forget",
    hint: 3,
  });
});

test("an idle connection that is gone is not taken", async () => {
  await check({
    sent: "give a, give b, give c, forget b, then take until there is none",
    expected: ["a", "c"],
    got: () => {
      const pool = new IdleConnections<NamedConnection>(8);
      const all = connections("a", "b", "c");
      for (const each of all) pool.give(each, sound);
      for (const each of all.slice(1, 2)) pool.forget(each);
      return takeAll(pool).sort();
    },
    likely: "The cell closed it, so the next request on it would be lost.",
    lookAt: "connection-reuse.ts, forget",
  });
});

test("a connection that breaks while it is taken takes no other with it", async () => {
  await check({
    sent: "give a and b, forget c (which is in use), then take until there is none",
    expected: ["a", "b"],
    got: () => {
      const pool = new IdleConnections<NamedConnection>(8);
      for (const each of connections("a", "b")) pool.give(each, sound);
      for (const each of connections("c")) pool.forget(each);
      return takeAll(pool).sort();
    },
    likely:
      "Each broken exchange makes a sound connection disappear. A connection in use is not in the list.",
    lookAt: "connection-reuse.ts, forget",
    hint: 3,
  });
});

test("close destroys all that wait, although each one that goes is forgotten at once", async () => {
  await check({
    sent: "give a, b, c, d; close; each calls forget from its destroy; then take",
    expected: { destroyed: ["a", "b", "c", "d"], idle: 0, taken: [] },
    got: () => {
      const pool = new IdleConnections<NamedConnection>(8);
      const all = connections("a", "b", "c", "d");
      for (const each of all) {
        each.onGone = () => pool.forget(each);
        pool.give(each, sound);
      }
      pool.close();
      return { destroyed: destroyedOf(all), idle: pool.size, taken: takeAll(pool) };
    },
    likely: "The list shrinks while it is walked, and every second connection is missed.",
    lookAt: "connection-reuse.ts, close",
    hint: 3,
  });
});

test("after close a connection that comes back is destroyed", async () => {
  await check({
    sent: "give a, close, then give b, which was in use",
    expected: { destroyed: ["a", "b"], idle: 0 },
    got: () => {
      const pool = new IdleConnections<NamedConnection>(8);
      const all = connections("a", "b");
      for (const each of all.slice(0, 1)) pool.give(each, sound);
      pool.close();
      for (const each of all.slice(1)) pool.give(each, sound);
      return { destroyed: destroyedOf(all), idle: pool.size };
    },
    likely: "Closing reaches the idle connections only. For those in use, the pool must remember it.",
    lookAt: "connection-reuse.ts, close and give",
    hint: 3,
  });
});
