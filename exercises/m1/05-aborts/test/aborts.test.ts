import { test } from "vitest";
import { eventually } from "../../../../shared/testkit/eventually.ts";
import type { ConnectionScript } from "../../../../shared/testkit/hostile-upstream.ts";
import { check, type Outcome, within } from "../../../support/check.ts";
import { get, type Served, Setup } from "./exchange.ts";

/** The sentence for a wait in vain, or else what the value shows. */
const shows =
  <T>(silent: string | undefined, ofValue: (got: T) => string | undefined = () => undefined) =>
  (came: Outcome<T>): string | undefined => {
    if (came.kind === "silent") return silent;
    return came.kind === "returned" ? ofValue(came.value) : undefined;
  };

/** Whether a client waited for a response that did not come. */
const waitsInVain = (came: Outcome<unknown>): boolean =>
  came.kind === "threw" && String(came.error).includes("Nothing more arrived");

const lookAtClose = "attempt.ts, what happens when the client's side of the exchange closes";
const lookAtCut = "attempt.ts, onResponseError";
const chunkedHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const halfAResponse = `${chunkedHead}5\r\nhello\r\n`;
const wholeResponse = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/** A cell that answers each request with `response` and then keeps its connection open. */
const sending =
  (response: string): ConnectionScript =>
  async (connection) => {
    for (;;) {
      await connection.readHead();
      if (response !== "") await connection.write(response);
    }
  };

/** Resolves when the cell sees that its connection is gone. */
async function closedAtCell(setup: Setup): Promise<string> {
  const closed = () =>
    setup.cell.connections.length > 0 && setup.cell.connections.every((each) => each.closed);
  await within(
    1_200,
    "the cell's connection to close",
    eventually(closed, { what: "the cell's connection is closed", deadlineMs: 2_000 }),
  );
  return "the cell's connection closed";
}

const reached = (setup: Setup) => setup.cell.connections.map((each) => each.received().toString()).join("");

async function untilReached(setup: Setup, text: string): Promise<void> {
  const there = eventually(() => reached(setup).includes(text), { what: "it is there", deadlineMs: 2_000 });
  await within(1_500, "the cell to get the request", there);
}

const kindOf = async ({ result }: Pick<Served, "result">): Promise<string> =>
  (await within(1_200, "the attempt to end", result)).kind;

test("a whole response arrives whole and counts as complete", async () => {
  await check({
    sent: "GET /, answered with 200 and `hello`; then the same again",
    expected: { bodies: ["hello", "hello"], kinds: ["complete", "complete"], connectionsToTheCell: 1 },
    got: async () => {
      await using setup = await Setup.with(sending(wholeResponse));
      const bodies: string[] = [];
      const kinds: string[] = [];
      for (let i = 0; i < 2; i++) {
        const served = await setup.send(get("/"));
        bodies.push((await served.client.readResponse()).text());
        kinds.push(await kindOf(served));
      }
      return { bodies, kinds, connectionsToTheCell: setup.cell.connections.length };
    },
    likely: shows(
      "The client has its response, but the attempt doesn't end.",
      ({ bodies, kinds, connectionsToTheCell }) => {
        if (bodies.join() !== "hello,hello") return "The client got another body than the cell sent.";
        if (kinds.includes("client-aborted"))
          return "A client that has its whole response counts as one that left.";
        if (kinds.includes("failed")) return "A response that went well counts as a failure of the cell.";
        return connectionsToTheCell > 1
          ? "The second request needed a new connection to the cell: the first one was closed."
          : undefined;
      },
    ),
    lookAt: "attempt.ts, the listeners on the client's response",
  });
});

test("a client whose upload is over has not left", async () => {
  await check({
    sent: "POST / with a whole body; the cell answers after the request object has closed",
    expected: { status: 200, kind: "complete" },
    got: async () => {
      let answer = () => {};
      const maySend = new Promise<void>((resolve) => {
        answer = resolve;
      });
      await using setup = await Setup.with(async (connection) => {
        await connection.readRequest();
        await maySend;
        await connection.write(wholeResponse);
      });
      const request = "POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 5\r\n\r\nhello";
      const served = await setup.send(request);
      const over = eventually(() => served.req.closed, { what: "the request is closed", deadlineMs: 2_000 });
      await within(1_500, "the request to be over", over);
      answer();
      const { status } = await served.client.readResponse();
      return { status, kind: await kindOf(served) };
    },
    likely: (came) => {
      if (waitsInVain(came)) return "The upload is over, and the client waits for its response in vain.";
      if (came.kind !== "returned") return undefined;
      return came.value.kind === "client-aborted"
        ? "The client is still there, but counts as one that left."
        : undefined;
    },
    lookAt: lookAtClose,
    hint: 1,
  });
});

test("a client that leaves in the middle of its response has its request to the cell aborted", async () => {
  for (const version of ["1.1", "1.0"]) {
    await check({
      sent: `GET / over HTTP/${version}; the cell sends half of its response; the client resets its connection`,
      expected: "the cell's connection closed",
      got: async () => {
        await using setup = await Setup.with(sending(halfAResponse));
        const { client } = await setup.send(get("/", version));
        await client.readHead();
        client.reset();
        return await closedAtCell(setup);
      },
      likely: shows("The client has gone, but nothing has told the cell."),
      lookAt: lookAtClose,
      hint: 1,
    });
  }
});

test("a client that leaves before the head of its response has its request to the cell aborted", async () => {
  await check({
    sent: "GET /; the cell has read it and works on it; the client resets its connection",
    expected: "the cell's connection closed",
    got: async () => {
      await using setup = await Setup.with(sending(""));
      const { client } = await setup.send(get("/"));
      await untilReached(setup, "GET /");
      client.reset();
      return await closedAtCell(setup);
    },
    likely: shows(
      "The client has gone, but nothing has told the cell, which hasn't sent the head of its response yet.",
    ),
    lookAt: lookAtClose,
    hint: 1,
  });
});

test("a client that leaves in the middle of its upload has its request to the cell aborted", async () => {
  await check({
    sent: "POST / with 5 bytes of 10; the client resets its connection",
    expected: "the cell's connection closed",
    got: async () => {
      await using setup = await Setup.with(sending(""));
      const { client } = await setup.send(
        "POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 10\r\n\r\nhello",
      );
      await untilReached(setup, "hello");
      client.reset();
      return await closedAtCell(setup);
    },
    likely: shows(
      "The client has gone, but nothing has told the cell, which waits for the rest of the body.",
    ),
    lookAt: lookAtClose,
  });
});

/** A request that waits for the one connection, and whose client leaves meanwhile. */
async function leavesInTheQueue(): Promise<{ targets: readonly string[]; kind: string }> {
  let answerFirst = () => {};
  const mayAnswer = new Promise<void>((resolve) => {
    answerFirst = resolve;
  });
  await using setup = await Setup.with(async (connection) => {
    for (;;) {
      const { target } = await connection.readRequest();
      if (target === "/first") await mayAnswer;
      await connection.write(wholeResponse);
    }
  });
  const first = await setup.send(get("/first"));
  const second = await setup.send(get("/second"));
  second.client.reset();
  const gone = eventually(() => second.res.closed, { what: "the second is gone", deadlineMs: 2_000 });
  await within(1_500, "the second client to be gone", gone);
  answerFirst();
  await first.client.readResponse();
  await (await setup.send(get("/third"))).client.readResponse();
  const kind = await kindOf(second);
  return { targets: reached(setup).match(/GET \/\w+/g) ?? [], kind };
}

test("a request whose client left while it waited for a connection never reaches the cell", async () => {
  await check({
    sent: "GET /first, and GET /second behind it, whose client leaves; then the first is answered, and GET /third comes",
    expected: { targets: ["GET /first", "GET /third"], kind: "client-aborted" },
    got: leavesInTheQueue,
    likely: (came) => {
      if (waitsInVain(came))
        return "One client has left, and now another client waits for its response in vain.";
      return shows<Awaited<ReturnType<typeof leavesInTheQueue>>>(
        "The client left, but its attempt doesn't end.",
        ({ targets, kind }) => {
          if (targets.includes("GET /second")) return "The cell got the request of a client that had left.";
          return kind === "failed" ? "The client left, but the cell is blamed for it." : undefined;
        },
      )(came);
    },
    lookAt: "attempt.ts, onRequestStart",
    hint: 2,
  });
});

test("a client that left is told apart from a cell that broke", async () => {
  const phases = [
    { when: "in the middle of the response", response: halfAResponse, request: get("/") },
    { when: "before the head of the response", response: "", request: get("/") },
  ];
  for (const { when, response, request } of phases) {
    await check({
      sent: `GET /; the client leaves ${when}`,
      expected: "client-aborted",
      got: async () => {
        await using setup = await Setup.with(sending(response));
        const served = await setup.send(request);
        if (response === "") await untilReached(setup, "GET /");
        else await served.client.readHead();
        served.client.reset();
        return await kindOf(served);
      },
      likely: shows("The client left, but its attempt doesn't end.", (kind) =>
        kind === "failed" ? "The client left, but the cell is blamed for it." : undefined,
      ),
      lookAt: lookAtClose,
      hint: 2,
    });
  }
});

/** How a response that the cell cut looks to its client, and what it counts as. */
async function cutResponse(version: string, half: string, cut: "close" | "reset"): Promise<string> {
  await using setup = await Setup.with(async (connection) => {
    await connection.readRequest();
    await connection.write(half);
    if (cut === "close") connection.halfClose();
    else connection.reset();
  });
  const served = await setup.send(get("/", version));
  const response = await served.client.readResponse();
  const kind = await kindOf(served);
  const wasReset = served.client.reader.end === "reset";
  return `${response.ending === "truncated" || wasReset ? "cut" : "whole"}, counts as ${kind}`;
}

function cutShows(came: Outcome<string>): string | undefined {
  if (waitsInVain(came)) return "The cell cut this response, but the client still waits for the rest.";
  return shows<string>("The cell cut this response, but the attempt doesn't end.", (got) => {
    if (got.startsWith("whole")) return "The cell cut this response, but to the client it looks whole.";
    return got.endsWith("client-aborted")
      ? "The cell cut this response, but the client counts as one that left."
      : undefined;
  })(came);
}

const halves = [
  { what: "one chunk", half: halfAResponse },
  { what: "5 of 10 bytes", half: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello" },
  { what: "the head of a chunked response", half: chunkedHead },
  { what: "one chunk and bytes that are no chunk", half: `${halfAResponse}?\r\n` },
];

for (const version of ["1.1", "1.0"]) {
  const title =
    version === "1.1"
      ? "a response that the cell cut does not look whole to the client"
      : "a response that the cell cut does not look whole to a client of HTTP/1.0 either";
  test(title, async () => {
    for (const { what, half } of halves) {
      await check({
        sent: `GET / over HTTP/${version}; the cell sends ${what}, and then closes its connection`,
        expected: "cut, counts as failed",
        got: () => cutResponse(version, half, "close"),
        likely: cutShows,
        lookAt: lookAtCut,
        hint: 3,
      });
    }
  });
}

test("a cell that breaks before its head leaves the client's connection for an error response", async () => {
  for (const [what, words] of [
    ["closes its connection without a response", ""],
    ["answers with bytes that are not HTTP", "?!\r\n\r\n"],
    ["sends half a head and closes its connection", "HTTP/1.1 200 OK\r\nConte"],
  ] as const) {
    await check({
      sent: `GET /; the cell ${what}`,
      expected: { status: 502, kind: "failed" },
      got: async () => {
        await using setup = await Setup.with(async (connection) => {
          await connection.readRequest();
          if (words !== "") await connection.write(words);
          connection.halfClose();
        });
        const served = await setup.send(get("/"));
        const { status } = await served.client.readResponse();
        return { status, kind: await kindOf(served) };
      },
      likely: shows("The cell has gone, but the attempt doesn't end.", ({ status, kind }) => {
        if (kind === "client-aborted") return "The cell broke, but the client counts as one that left.";
        return status === 200 ? "The cell sent no whole head, but the client got status 200." : undefined;
      }),
      lookAt: lookAtCut,
    });
  }
});
