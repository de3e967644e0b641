import { test } from "vitest";
import { check, shows } from "../../../support/check.ts";
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
    likely: shows(([silent]) =>
      silent ? "keep-alive ends the connection." : "When nothing is said, the connection counts as closed.",
    ),
    lookAt: lookAtPersists,
  });
});

test("close ends the connection in either version", async () => {
  await check({
    sent: "Connection: close, in HTTP/1.1 and in HTTP/1.0",
    expected: [false, false],
    got: () => [persists(1, close), persists(0, close)],
    likely: shows(
      () => "The connection counts as open, but its sender closes it: the next request on it would be lost.",
    ),
    lookAt: lookAtPersists,
  });
});

test("HTTP/1.0 persists only with keep-alive", async () => {
  await check({
    sent: "an HTTP/1.0 response without Connection, and one with Connection: keep-alive",
    expected: [false, true],
    got: () => [persists(0, nothingSaid), persists(0, keepAlive)],
    likely: shows(([silent]) =>
      silent
        ? "When nothing is said, the connection counts as open, as in HTTP/1.1."
        : "keep-alive was not believed.",
    ),
    lookAt: lookAtPersists,
    hint: 1,
  });
});

test("close counts more than keep-alive", async () => {
  await check({
    sent: "Connection: keep-alive, close, in HTTP/1.1 and in HTTP/1.0",
    expected: [false, false],
    got: () => [persists(1, { close: true, keepAlive: true }), persists(0, { close: true, keepAlive: true })],
    likely: shows(() => "keep-alive was believed, although the sender also says close."),
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
    likely: shows((got) => {
      if (!got["HTTP/1.1"].includes(true))
        return "Every HTTP/1.1 connection is thrown away when nothing is said.";
      if (!got["HTTP/1.0"].includes(true)) return "Every HTTP/1.0 connection is thrown away.";
      return "With some framings, a connection is thrown away that could carry another request.";
    }),
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
    likely: shows(([close11, close10]) =>
      close11 || close10
        ? "A connection was kept although its sender closes it."
        : "A connection was kept although HTTP/1.0 closes it when nothing is said.",
    ),
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
    likely: shows(() => "The connection was kept, but the end of this body was the end of the connection."),
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
    likely: shows((got) =>
      got["4096 bytes"]?.includes(true)
        ? "Nobody asked for these bytes, and they stay: the next client would get them as its response."
        : "A few bytes count as harmless. The next client would get them in front of its response.",
    ),
    lookAt: lookAtReusable,
    hint: 2,
  });
});

test("a connection whose request was not sent whole is not used again", async () => {
  await check({
    sent: `exchanges with a response before the request's body was sent; the response framed by ${bodies.join(", ")}`,
    expected: [false, false, false],
    got: () => bodies.map((body) => reusable({ ...sound, body, requestDone: false })),
    likely: shows((got) =>
      got.every(Boolean)
        ? "The connection was kept: the cell takes the next request for the rest of this one."
        : "The connection was kept, but only with some framings of the response: the request was not finished with any.",
    ),
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
    likely: shows(({ taken, idle }) => {
      if (taken.length > 3) return "A connection that was taken is still there.";
      if (taken[0] === "a") return "The connection that had been idle for longest came first.";
      return taken.length === 3 && idle > 0 ? "Connections that were taken still count as idle." : undefined;
    }),
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
    likely: shows((got) => {
      if (got["first two"][0] === "a") return "The connection that had been idle for longest came first.";
      return got["after that"][0] === "b"
        ? "a was used last, and b came first: last use is not what counts."
        : undefined;
    }),
    lookAt: "connection-reuse.ts, take and give",
    hint: 3,
  });
});

test("a connection that cannot be used again is destroyed", async () => {
  await check({
    sent: "maxIdle 1: give a, then give b, after a response with Connection: close",
    expected: { destroyed: ["b"], taken: ["a"] },
    got: () => {
      const pool = new IdleConnections<NamedConnection>(1);
      const all = connections("a", "b");
      for (const each of all) pool.give(each, each.name === "a" ? sound : { ...sound, connection: close });
      return { destroyed: destroyedOf(all), taken: takeAll(pool) };
    },
    likely: shows(({ destroyed, taken }) => {
      if (taken.includes("b")) return "b waits to be used again.";
      if (!destroyed.includes("b"))
        return "b is neither kept nor destroyed: its socket stays open until the cell closes it.";
      return taken.length === 0 ? "a had to go, although b does not need its place." : undefined;
    }),
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
      likely: shows((got) => {
        if (got.idle > maxIdle)
          return maxIdle === 0 && got.idle === 3
            ? "All three wait: a bound of 0 counts as no bound."
            : "More wait than may: the bound is asked too late, or not at all.";
        if (!got["destroyed or idle, not both"]) return "A connection that waits has been destroyed.";
        return got.destroyed < 3 - maxIdle ? "A connection was dropped without being destroyed." : undefined;
      }),
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
    likely: shows(({ destroyed, idle }) => {
      if (destroyed.includes("a")) return undefined;
      if (destroyed.length > 0) return "Connections that no longer wait still count against `maxIdle`.";
      return idle > 2 ? "Connections that are gone still count as idle." : undefined;
    }),
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
    likely: shows((taken) =>
      taken.includes("b")
        ? "b is gone, and was taken: the next request on it would be lost."
        : "A connection disappeared together with b.",
    ),
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
    likely: shows((taken) =>
      taken.length < 2 ? "c was not in the list, and another connection went in its place." : undefined,
    ),
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
    likely: shows(({ destroyed, taken }) => {
      if (destroyed.join() === "a,c")
        return "Every second one was missed: the list shrinks while it is walked.";
      return taken.length > 0 ? "After `close`, connections still wait to be taken." : undefined;
    }),
    lookAt: "connection-reuse.ts, close",
    hint: 3,
  });
});

test("after close a connection that comes back is destroyed", async () => {
  for (const idle of [["a"], []]) {
    await check({
      sent: `${idle.length > 0 ? "give a, close" : "close, while nothing waits"}; then give b, which was in use`,
      expected: { destroyed: [...idle, "b"], idle: 0 },
      got: () => {
        const pool = new IdleConnections<NamedConnection>(8);
        const all = connections(...idle, "b");
        for (const each of all.slice(0, -1)) pool.give(each, sound);
        pool.close();
        for (const each of all.slice(-1)) pool.give(each, sound);
        return { destroyed: destroyedOf(all), idle: pool.size };
      },
      likely: shows(({ destroyed, idle: waiting }) => {
        if (idle.some((name) => !destroyed.includes(name)))
          return "a was idle, and `close` did not destroy it.";
        return waiting > 0
          ? "b came back after `close`, and waits to be used again."
          : "b came back after `close`, and was neither kept nor destroyed.";
      }),
      lookAt: "connection-reuse.ts, close and give",
      hint: 3,
    });
  }
});
