import { test } from "vitest";
import { check } from "../../../support/check.ts";
import { type FinishedExchange, IdleConnections, persists, reusable } from "../starter/connection-reuse.ts";

const lookAtPersists = "connection-reuse.ts, persists";
const lookAtReusable = "connection-reuse.ts, reusable";

const nothingSaid = { close: false, keepAlive: false };
const keepAlive = { close: false, keepAlive: true };
const close = { close: true, keepAlive: false };

/** An exchange after which nothing speaks against another. */
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

  constructor(name: string) {
    this.name = name;
  }

  destroy(): void {
    this.destroyed = true;
  }
}

const connections = (...names: string[]) => names.map((name) => new NamedConnection(name));
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
    sent: "an HTTP/1.1 answer without Connection",
    expected: true,
    got: () => persists(1, nothingSaid),
    likely: "Since HTTP/1.1 a connection goes on unless somebody says close; nobody has to ask for it.",
    lookAt: lookAtPersists,
  });
});

test("close ends the connection in either version", async () => {
  await check({
    sent: "Connection: close, in HTTP/1.1 and in HTTP/1.0",
    expected: [false, false],
    got: () => [persists(1, close), persists(0, close)],
    likely: "The sender will close. A request that is sent then is lost.",
    lookAt: lookAtPersists,
  });
});

test("HTTP/1.0 persists only with keep-alive", async () => {
  await check({
    sent: "an HTTP/1.0 answer without Connection, and one with Connection: keep-alive",
    expected: [false, true],
    got: () => [persists(0, nothingSaid), persists(0, keepAlive)],
    likely: "HTTP/1.0 closes after each answer, unless it says that it does not.",
    lookAt: lookAtPersists,
    hint: 1,
  });
});

test("close counts more than keep-alive", async () => {
  await check({
    sent: "Connection: keep-alive, close, in HTTP/1.1 and in HTTP/1.0",
    expected: [false, false],
    got: () => [persists(1, { close: true, keepAlive: true }), persists(0, { close: true, keepAlive: true })],
    likely: "keep-alive is asked first. Of two options that contradict each other the safe one must count.",
    lookAt: lookAtPersists,
    hint: 1,
  });
});

test("a connection is used again after a sound exchange", async () => {
  await check({
    sent: "three exchanges whose answers were framed by a length, by chunks, or had no body",
    expected: [true, true, true],
    got: () => (["length", "chunked", "none"] as const).map((body) => reusable({ ...sound, body })),
    likely:
      "A connection that could carry another request is thrown away; each request then pays for a new one.",
    lookAt: lookAtReusable,
  });
});

test("an answer that lasts until the connection ends ends it", async () => {
  await check({
    sent: "an exchange whose answer was framed until-close, with Connection: keep-alive",
    expected: false,
    got: () => reusable({ ...sound, body: "until-close" }),
    likely: "The fields say keep-alive, but the end of this body was the end of the connection.",
    lookAt: lookAtReusable,
    hint: 2,
  });
});

test("a connection with bytes behind the answer is not used again", async () => {
  await check({
    sent: "an exchange with 1 byte behind the end of its answer",
    expected: false,
    got: () => reusable({ ...sound, bytesBehind: 1 }),
    likely: "Nobody has asked for these bytes. The next client would get them as its answer.",
    lookAt: lookAtReusable,
    hint: 2,
  });
});

test("a connection whose request was not sent whole is not used again", async () => {
  await check({
    sent: "an exchange that was answered before the request's body had been sent",
    expected: false,
    got: () => reusable({ ...sound, requestDone: false }),
    likely:
      "The answer is whole and the request is not: the cell takes the next request for the rest of this one.",
    lookAt: lookAtReusable,
    hint: 2,
  });
});

test("the connection used last is taken first", async () => {
  await check({
    sent: "give a, give b, give c, then take until there is none",
    expected: ["c", "b", "a"],
    got: () => {
      const pool = new IdleConnections<NamedConnection>(8);
      for (const each of connections("a", "b", "c")) pool.give(each, sound);
      return takeAll(pool);
    },
    likely:
      "The oldest comes first, so that all of them stay young and none can age away; and the cell closes the oldest first.",
    lookAt: "connection-reuse.ts, take",
    hint: 3,
  });
});

test("a connection that cannot be used again is destroyed", async () => {
  await check({
    sent: "give a after an answer with Connection: close",
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

test("no more than maxIdle connections wait", async () => {
  await check({
    sent: "maxIdle 2: give a, give b, give c",
    expected: { destroyed: ["c"], idle: 2 },
    got: () => {
      const pool = new IdleConnections<NamedConnection>(2);
      const all = connections("a", "b", "c");
      for (const each of all) pool.give(each, sound);
      return { destroyed: destroyedOf(all), idle: pool.size };
    },
    likely: "The bound is asked one connection too late.",
    lookAt: "connection-reuse.ts, give",
    hint: 3,
  });
});

test("an idle connection that is gone is not taken", async () => {
  await check({
    sent: "give a, give b, forget a, then take until there is none",
    expected: ["b"],
    got: () => {
      const pool = new IdleConnections<NamedConnection>(8);
      const all = connections("a", "b");
      for (const each of all) pool.give(each, sound);
      for (const each of all.slice(0, 1)) pool.forget(each);
      return takeAll(pool);
    },
    likely: "The cell has closed it, and the next request is sent into nothing.",
    lookAt: "connection-reuse.ts, forget",
  });
});

test("a connection that breaks while it is taken takes no other with it", async () => {
  await check({
    sent: "give a and b, forget c (which is in use), then take until there is none",
    expected: ["b", "a"],
    got: () => {
      const pool = new IdleConnections<NamedConnection>(8);
      for (const each of connections("a", "b")) pool.give(each, sound);
      for (const each of connections("c")) pool.forget(each);
      return takeAll(pool).sort().reverse();
    },
    likely:
      "Each broken exchange makes a sound connection disappear. Who is not in the list has no place in it.",
    lookAt: "connection-reuse.ts, forget",
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
    likely: "Closing is an event for the idle ones only; for those in use it must be remembered.",
    lookAt: "connection-reuse.ts, close and give",
    hint: 3,
  });
});
