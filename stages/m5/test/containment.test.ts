// A throw, planted into every step that a request takes, one at a time: it costs that request and nothing else. The client gets
// 500 or sees its response cut, nothing stays taken, a request that is under way beside it comes to its end, and the next
// one is served. A throw that nobody catches fails the run by itself.

import { describe, expect, test, vi } from "vitest";
import { eventually } from "../../../shared/testkit/eventually.ts";
import {
  type ConnectionScript,
  type HostileUpstream,
  startHostileUpstream,
} from "../../../shared/testkit/hostile-upstream.ts";
import type { RawResponse } from "../../../shared/testkit/http-message.ts";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { RawClient } from "../../../shared/testkit/raw-client.ts";
import { CircuitBreaker } from "../src/circuit-breaker.ts";
import { ConcurrencyLimit } from "../src/concurrency-limit.ts";
import { DateLine } from "../src/date-line.ts";
import { BodyReader } from "../src/http1/body-reader.ts";
import { HeadReader } from "../src/http1/head-reader.ts";
import { RequestHead } from "../src/http1/request-head.ts";
import { ResponseHead } from "../src/http1/response-head.ts";
import { Metrics } from "../src/metrics.ts";
import { Resilience } from "../src/resilience.ts";
import { RetryBudget } from "../src/retry-budget.ts";
import { Attempt } from "../src/sockets/attempt.ts";
import { ClientConnection } from "../src/sockets/client-connection.ts";
import { Endpoint } from "../src/sockets/connection-pool.ts";
import { Exchange } from "../src/sockets/exchange.ts";
import { Outgoing } from "../src/sockets/outgoing.ts";
import { RequestSide } from "../src/sockets/request-side.ts";
import { ResponseSide } from "../src/sockets/response-side.ts";
import { UpstreamConnection } from "../src/sockets/upstream-connection.ts";
import { TableStore } from "../src/table-store.ts";
import { AttemptLoop } from "../src/trim/attempt-loop.ts";
import { PrerenderedCache } from "../src/trim/prerendered-headers.ts";
import { methodsAsSteps, steps } from "./planted-faults.ts";
import { tableOf } from "./protected-table.ts";
import { WholeRouter, type WholeRouterOptions } from "./whole-router.ts";

const asSteps = vi.hoisted(() => async <M extends object>(original: () => Promise<M>): Promise<M> => {
  const { functionsAsSteps } = await import("./planted-faults.ts");
  return functionsAsSteps(await original());
});

vi.mock(import("../src/routing.ts"), asSteps);
vi.mock(import("../src/routing-key.ts"), asSteps);
vi.mock(import("../src/retry-policy.ts"), asSteps);
vi.mock(import("../src/failover.ts"), asSteps);
vi.mock(import("../src/headers.ts"), asSteps);
vi.mock(import("../src/errors.ts"), asSteps);
vi.mock(import("../src/attempt.ts"), asSteps);
vi.mock(import("../src/attempt-failure.ts"), asSteps);
vi.mock(import("../src/own-responses.ts"), asSteps);
vi.mock(import("../src/http1/head-writer.ts"), asSteps);
vi.mock(import("../src/http1/framing.ts"), asSteps);

methodsAsSteps(TableStore, "current");
methodsAsSteps(Resilience, "tryTake", "guard", "admit");
methodsAsSteps(ConcurrencyLimit, "tryAcquire");
methodsAsSteps(CircuitBreaker, "allow");
methodsAsSteps(RetryBudget, "deposit", "tryWithdraw");
methodsAsSteps(AttemptLoop, "next", "shouldForward", "ended");
methodsAsSteps(Metrics, "attemptEnded", "retried");
methodsAsSteps(PrerenderedCache, "of");
methodsAsSteps(DateLine, "text");
methodsAsSteps(Endpoint, "take", "give");
methodsAsSteps(RequestHead, "parse");
methodsAsSteps(ResponseHead, "parse");
methodsAsSteps(HeadReader, "push");
methodsAsSteps(BodyReader, "begin", "read", "end");
methodsAsSteps(Outgoing, "text", "bodyBytes", "endChunks", "flush", "whenWritten");
methodsAsSteps(UpstreamConnection, "begin", "awaits", "pause", "resume", "whenWritten");
methodsAsSteps(Exchange, "begin", "attempt", "respond", "readBody", "onBodyReadEnd");
methodsAsSteps(Exchange, "onHead", "onResponseEnd", "onFailureEnd", "onClientWritten", "onClientGone");
methodsAsSteps(Attempt, "begin", "onConnected", "flushBody", "onDrain", "failBody", "drop");
methodsAsSteps(Attempt, "onHead", "onInterim", "onReadEnd", "onResponseEnd", "onFailure");
methodsAsSteps(RequestSide, "begin", "sendTo", "read", "discard");
methodsAsSteps(ResponseSide, "interim", "begin", "end", "send", "takeBack");
methodsAsSteps(ClientConnection, "takeUp", "openBody", "pauseBody", "resumeBody", "flush", "isWritten");

const patient = { timeout: 240_000 };
const deadlineMs = 10_000;

failOnLeaks();

// #region cells
const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** Does what the path says; counts how often it was asked for each. */
function obliging(): ConnectionScript {
  const asked = new Map<string, number>();
  return async (connection) => {
    for (;;) {
      const { target } = await connection.readRequest();
      const times = (asked.get(target) ?? 0) + 1;
      asked.set(target, times);
      const [, what = ""] = target.split("/");
      if (what === "broken" || (what === "breaks-once" && times === 1)) return connection.reset();
      if (what === "hangs") return void (await connection.untilClosed());
      if (what === "busy-once" && times === 1) {
        await connection.write("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
      } else if (what === "chunked") {
        await connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n");
        await connection.write("1\r\nk\r\n0\r\nX-Sum: 1\r\n\r\n");
      } else if (what === "hints") {
        await connection.write(`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${ok}`);
      } else if (what === "until-close") {
        await connection.write("HTTP/1.1 200 OK\r\n\r\nok");
        return connection.close();
      } else if (what === "half") {
        await connection.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no");
        await connection.reader.chunk();
      } else await connection.write(ok);
    }
  };
}
// #endregion cells

// #region scenarios
interface World {
  readonly router: WholeRouter;
  /** A connection whose responses are told: `200 ok`, `500 router-fault`, `cut`. */
  client(): Promise<TellingClient>;
}

class TellingClient {
  readonly raw: RawClient;
  readonly said: string[] = [];

  constructor(raw: RawClient) {
    this.raw = raw;
  }

  async send(bytes: string): Promise<void> {
    await this.raw.write(bytes).catch(() => {});
  }

  async hears(method = "GET"): Promise<void> {
    this.said.push(await this.raw.readResponse({ method }).then(toldOf, cutOrLost));
  }
}

function toldOf(response: RawResponse): string {
  if (response.ending !== "complete") return "cut";
  const isProblem =
    response.headers.one("content-type") === "application/problem+json" && response.bodyBytes > 0;
  return `${response.status} ${isProblem ? response.json()["code"] : response.text()}`;
}

/** The connection ended in front of a response or in it. Anything else, such as silence, is a fault of its own. */
function cutOrLost(error: Error): string {
  if (error.name === "EndOfBytes") return "cut";
  throw error;
}

const get = (path: string, lines = "", key = "one") =>
  `GET /${path} HTTP/1.1\r\nHost: a\r\nX-Routing-Key: ${key}\r\n${lines}\r\n`;
const post = (path: string, body: string, lines = "") =>
  `POST /${path} HTTP/1.1\r\nHost: a\r\nX-Routing-Key: one\r\n${lines}Content-Length: ${body.length}\r\n\r\n${body}`;

interface Scenario extends Partial<Pick<WholeRouterOptions, "limits">> {
  readonly one?: object;
  readonly two?: object;
  readonly top?: object;
  /** Before steps count. */
  readonly prepare?: (world: World) => Promise<unknown>;
  readonly run: (world: World) => Promise<TellingClient[]>;
  readonly says: readonly string[];
}

const retries = { maxRetries: 2, baseMs: 1, capMs: 1 };
const plenty = { retryBudget: { ratio: 1, minPerSecond: 100, maxBalance: 100 } };
const breaker = { consecutiveFailures: 1, minimumRequests: 1000, waitMs: 1, maxWaitMs: 1, halfOpenProbes: 1 };

/** One client sends everything at once, and hears as many responses. */
const exchange =
  (bytes: string, responses = 1) =>
  async (world: World): Promise<TellingClient[]> => {
    const client = await world.client();
    await client.send(bytes);
    for (let n = 0; n < responses; n++) await client.hears(bytes.split(" ", 1)[0]);
    return [client];
  };

const scenarios: Readonly<Record<string, Scenario>> = {
  "a request": { run: exchange(get("x")), says: ["200 ok"] },
  "pipelined requests": { run: exchange(get("x") + get("y") + get("z"), 3), says: Array(3).fill("200 ok") },
  "an upload with a length": { run: exchange(post("x", "body")), says: ["200 ok"] },
  "an upload in chunks with a trailer": {
    run: exchange(
      "POST /x HTTP/1.1\r\nHost: a\r\nX-Routing-Key: one\r\nTransfer-Encoding: chunked\r\n\r\n2;e\r\nok\r\n0\r\nT: 1\r\n\r\n",
    ),
    says: ["200 ok"],
  },
  "an upload that comes in two pieces and waits for 100 Continue": {
    run: async (world) => {
      const client = await world.client();
      await client.send(
        "POST /x HTTP/1.1\r\nHost: a\r\nX-Routing-Key: one\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
      );
      await client.send("bo");
      await client.send("dy");
      await client.hears("POST");
      return [client];
    },
    says: ["200 ok"],
  },
  "a response in chunks with a trailer": { run: exchange(get("chunked")), says: ["200 ok"] },
  "an interim response": { run: exchange(get("hints")), says: ["200 ok"] },
  "a response until the end": { run: exchange(get("until-close")), says: ["200 ok"] },
  "a response without a body": {
    run: exchange("HEAD /x HTTP/1.0\r\nX-Routing-Key: one\r\n\r\n"),
    says: ["200 "],
  },
  "a retry after a status": {
    one: { retries, circuitBreaker: { ...breaker, consecutiveFailures: 100 } },
    top: plenty,
    run: exchange(get("busy-once")),
    says: ["200 ok"],
  },
  "a retry after a broken connection": {
    one: { retries },
    top: plenty,
    run: exchange(get("breaks-once")),
    says: ["200 ok"],
  },
  "a connection that had gone stale": {
    prepare: async (world) => (await exchange(get("x"))(world))[0]?.raw.close(),
    run: exchange(get("breaks-once")),
    says: ["200 ok"],
  },
  "a breaker that opens": {
    one: { circuitBreaker: { ...breaker, waitMs: 60_000, maxWaitMs: 60_000 } },
    run: exchange(get("broken") + get("x"), 2),
    says: ["502 upstream-broken", "503 circuit-open"],
  },
  "a breaker that is half-open": {
    one: { circuitBreaker: breaker },
    prepare: async (world) => {
      await (await exchange(get("broken"))(world))[0]?.raw.close();
      const isHalfOpen = () =>
        [...world.router.resilience.guards()].some(
          ([, guard]) => guard.breaker?.state(performance.now()).kind === "half-open",
        );
      await eventually(isHalfOpen, { what: "the wait is over" });
    },
    run: exchange(get("x")),
    says: ["200 ok"],
  },
  "a failover": {
    one: { url: "http://127.0.0.1:1", fallback: ["two"] },
    two: { concurrencyLimit: 5, circuitBreaker: breaker },
    run: exchange(post("x", "body")),
    says: ["200 ok"],
  },
  "a chain in which nobody can be reached, with retries": {
    one: { url: "http://127.0.0.1:1", fallback: ["two"], retries },
    two: { url: "http://127.0.0.1:1" },
    top: plenty,
    run: exchange(get("x")),
    says: ["502 upstream-unreachable"],
  },
  "a cell that does not respond": {
    limits: { headTimeoutMs: 0 },
    run: async (world) => {
      const client = await world.client();
      await client.send(get("hangs"));
      const hearing = client.hears();
      let heard = false;
      void hearing.then(() => {
        heard = true;
      });
      await eventually(
        () => {
          world.router.looksAtLimits();
          return heard;
        },
        { what: "the limit is over", deadlineMs },
      );
      await hearing;
      return [client];
    },
    says: ["504 head-timeout"],
  },
  "a request that is refused, and one that is none": {
    run: exchange(`GET / HTTP/1.1\r\nHost: a\r\n\r\n${get("x")}bad\r\n\r\n`, 3),
    says: ["400 missing-routing-key", "200 ok", "400 malformed-request"],
  },
  "an OPTIONS that goes no further": {
    run: exchange(
      "OPTIONS /x HTTP/1.1\r\nHost: a\r\nX-Routing-Key: one\r\nMax-Forwards: 0\r\nContent-Length: 2\r\n\r\nhi",
    ),
    says: ["204 "],
  },
  "limits that are reached": {
    top: { keyLimits: { one: { ratePerSecond: 0.001, burst: 1 } } },
    run: exchange(get("x") + get("x"), 2),
    says: ["200 ok", "429 rate-limited"],
  },
  "a client that leaves in its upload": {
    run: leaving("POST /x HTTP/1.1\r\nHost: a\r\nX-Routing-Key: one\r\nContent-Length: 9\r\n\r\nbo"),
    says: [],
  },
  "a client that leaves in its response": { run: leaving(get("half")), says: [] },
  "a client that leaves while a retry is waited for": {
    one: { retries: { maxRetries: 1, baseMs: 60_000, capMs: 60_000 } },
    top: plenty,
    run: leaving(get("busy-once")),
    says: [],
  },
};

/** Leaves once nothing moves any more. */
function leaving(bytes: string) {
  return async (world: World): Promise<TellingClient[]> => {
    const client = await world.client();
    await client.send(bytes);
    let before = -1;
    await eventually(
      () => {
        const isStill = before === steps.taken.length && before > 0;
        before = steps.taken.length;
        return isStill;
      },
      { what: "nothing moves any more", everyMs: 10 },
    );
    client.raw.reset();
    return [client];
  };
}
// #endregion scenarios

interface Run {
  readonly taken: readonly string[];
  readonly said: readonly string[];
  readonly told: number;
}

async function play(
  cell: HostileUpstream,
  bystanders: Bystander,
  scenario: Scenario,
  raw: boolean,
  throwsAt: number | string = -1,
): Promise<Run> {
  const { one = {}, two = {}, top = {}, limits = {} } = scenario;
  const table = tableOf(
    {
      one: { url: cell.url, concurrencyLimit: 5, ...one },
      two: { url: cell.url, ...two },
      other: { url: bystanders.cell.url },
      spare: { url: cell.url },
    },
    top,
  );
  await using stack = new AsyncDisposableStack();
  const router = stack.use(await WholeRouter.start({ table, raw, limits }));
  const client = async () =>
    new TellingClient(stack.use(await RawClient.connect(router.url, { deadlineMs })));
  const world: World = { router, client };
  const beside = await bystanders.begin(router);
  stack.use(beside.client);
  await scenario.prepare?.(world);
  router.entries.length = 0;
  steps.begin(throwsAt);
  const clients = await scenario.run(world).finally(() => {
    // Clients that have left are seen to a moment later.
    if (scenario.says.length > 0) steps.end();
  });
  const nothingHeld = () => {
    const held = router.held();
    delete held["permits of other"];
    delete held["connections to other"];
    return Object.keys(held).length === 0;
  };
  await eventually(nothingHeld, {
    what: `nothing is held; ${JSON.stringify(router.held())}`,
    deadlineMs,
  }).catch((error) => {
    throw new Error(`Still held: ${JSON.stringify(router.held())}`, { cause: error });
  });
  await eventually(() => router.entries.length > 0 || router.faults.length > 0, {
    what: "something is told",
  });
  steps.end();
  for (const each of clients) await each.raw.close();
  await beside.finishes();
  const next = await client();
  await next.send(get("x", "", "spare"));
  await next.hears();
  expect(next.said, "the next request").toEqual(["200 ok"]);
  const told = router.faults.length + router.entries.filter(({ code }) => code === "router-fault").length;
  return { taken: [...steps.taken], said: clients.flatMap(({ said }) => said), told };
}

/** A cell with responses that are under way while something else goes wrong. */
class Bystander implements AsyncDisposable {
  readonly cell: HostileUpstream;
  readonly #waiting: (() => void)[];

  private constructor(cell: HostileUpstream, waiting: (() => void)[]) {
    this.cell = cell;
    this.#waiting = waiting;
  }

  static async start(): Promise<Bystander> {
    const waiting: (() => void)[] = [];
    const cell = await startHostileUpstream(async (connection) => {
      for (;;) {
        await connection.readRequest();
        await connection.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no");
        await new Promise<void>((resolve) => waiting.push(resolve));
        await connection.write("k");
      }
    });
    return new Bystander(cell, waiting);
  }

  async begin(router: WholeRouter) {
    const client = await RawClient.connect(router.url, { deadlineMs });
    await client.write(get("x", "", "other"));
    const head = await client.readHead();
    const finishes = async (): Promise<void> => {
      this.#waiting.shift()?.();
      expect(toldOf(await client.readBody(head)), "the request beside it").toBe("200 ok");
    };
    return { client, finishes };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cell.close();
  }
}

/** What differs where sockets are streams: the rest is decided above them. */
const overStreams: readonly string[] = [
  "pipelined requests",
  "an upload that comes in two pieces and waits for 100 Continue",
  "a response in chunks with a trailer",
  "a retry after a broken connection",
  "a client that leaves in its response",
];

describe.each([
  ["raw", true],
  ["as streams", false],
])("a throw in any step, with sockets used %s", (_, raw) => {
  const played = Object.entries(scenarios).filter(([title]) => raw || overStreams.includes(title));

  test.each(played)("of %s", patient, async (_title, scenario) => {
    await using cell = await startHostileUpstream(obliging());
    await using bystander = await Bystander.start();
    const plain = await play(cell, bystander, scenario, raw);
    expect([plain.said, plain.told]).toEqual([scenario.says, 0]);
    for (const throwsAt of firstAndLast(plain.taken)) {
      await using freshCell = await startHostileUpstream(obliging());
      const { said, told } = await play(freshCell, bystander, scenario, raw, throwsAt).catch(
        (error: unknown) => {
          throw new Error(`With a throw in step ${throwsAt}, ${plain.taken[throwsAt]}`, { cause: error });
        },
      );
      const what = `${plain.taken[throwsAt]} (step ${throwsAt} of ${plain.taken.length}) threw`;
      expect(told, `${what}: somebody is told`).toBeGreaterThan(0);
      for (const [at, each] of said.entries()) {
        // A response to HEAD says no code. Where a first request fails, a second one may find what the first would have.
        const isExpected = each === scenario.says[at] || each === "200 ok" || each === scenario.says[0];
        expect(isExpected || /^cut$|^500 (router-fault)?$/.test(each), `${what}: ${each}`).toBe(true);
      }
    }
  });
});

describe("a throw in a decision costs one response, and the connection goes on", () => {
  const protectedBy: Scenario = {
    one: { retries, circuitBreaker: { ...breaker, consecutiveFailures: 100 } },
    top: plenty,
    run: exchange(get("busy-once") + get("x"), 2),
    says: ["200 ok", "200 ok"],
  };

  test.each([
    "route",
    "readRoutingKey",
    "newRequestId",
    "TableStore.current",
    "Resilience.tryTake",
    "ConcurrencyLimit.tryAcquire",
    "Resilience.admit",
    "chooseTarget",
    "CircuitBreaker.allow",
    "upstreamLines",
    "Endpoint.take",
    "AttemptLoop.shouldForward",
    "isFailureStatus",
    "mayRetry",
    "random",
    "AttemptLoop.ended",
    "Metrics.attemptEnded",
    "Metrics.retried",
    "routingLines",
  ])("%s", async (name) => {
    await using bystander = await Bystander.start();
    await using cell = await startHostileUpstream(obliging());
    const { said, taken } = await play(cell, bystander, protectedBy, true, name);
    expect(taken).toContain(name);
    expect(said).toEqual(["500 router-fault", "200 ok"]);
  });

  test.each(["metrics.requestEnded", "events.requestEnded", "wallClock", "onBreaker"])(
    "and a throw in a listener, %s, costs nothing",
    async (name) => {
      await using bystander = await Bystander.start();
      const opening: Scenario = {
        one: { circuitBreaker: { ...breaker, waitMs: 60_000, maxWaitMs: 60_000 } },
        run: exchange(get("broken"), 1),
        says: ["502 upstream-broken"],
      };
      await using cell = await startHostileUpstream(obliging());
      const { said, taken } = await play(cell, bystander, opening, true, name);
      expect(taken).toContain(name);
      expect(said).toEqual(opening.says);
    },
  );
});

/** A step is taken many times in one run: it throws the first and the last time. */
function firstAndLast(taken: readonly string[]): number[] {
  return [...new Set(taken.flatMap((name) => [taken.indexOf(name), taken.lastIndexOf(name)]))];
}
