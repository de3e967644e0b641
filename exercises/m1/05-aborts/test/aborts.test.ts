import { test } from "vitest";
import { eventually } from "../../../../shared/testkit/eventually.ts";
import type { ConnectionScript } from "../../../../shared/testkit/hostile-upstream.ts";
import { check, within } from "../../../support/check.ts";
import { get, Setup } from "./exchange.ts";

const lookAtClose = "attempt.ts, what happens when the client's side of the exchange closes";
const lookAtCut = "attempt.ts, onResponseError";
const halfAnAnswer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
const wholeAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/** A cell that answers each request with `answer` and then keeps its connection open. */
const answering =
  (answer: string): ConnectionScript =>
  async (connection) => {
    for (;;) {
      await connection.readRequest();
      if (answer !== "") await connection.write(answer);
    }
  };

/** Resolves when the cell has felt that its connection is gone. */
async function feltByCell(setup: Setup): Promise<string> {
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

test("a whole answer arrives whole and counts as complete", async () => {
  await check({
    sent: "GET /, answered with 200 and `hello`",
    expected: { body: "hello", kind: "complete" },
    got: async () => {
      await using setup = await Setup.with(answering(wholeAnswer));
      const { client, result } = await setup.send(get("/"));
      const body = (await client.readResponse()).text();
      return { body, kind: (await within(1_000, "the attempt to end", result)).kind };
    },
    likely: "The attempt does not notice its own good end.",
    lookAt: "attempt.ts, the listeners on the client's response",
  });
});

test("a client whose upload is over has not left", async () => {
  await check({
    sent: "POST / with a whole body; the cell answers after the request object has closed",
    expected: 200,
    got: async () => {
      let answer = () => {};
      const maySend = new Promise<void>((resolve) => {
        answer = resolve;
      });
      await using setup = await Setup.with(async (connection) => {
        await connection.readRequest();
        await maySend;
        await connection.write(wholeAnswer);
      });
      const request = "POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 5\r\n\r\nhello";
      const { client, req } = await setup.send(request);
      const over = eventually(() => req.closed, { what: "the request is closed", deadlineMs: 2_000 });
      await within(1_500, "the request to be over", over);
      answer();
      return (await client.readResponse()).status;
    },
    likely: "The end of the upload was taken for the end of the client.",
    lookAt: lookAtClose,
    hint: 1,
  });
});

test("a client that leaves in the middle of its answer is felt by the cell", async () => {
  await check({
    sent: "GET /; the cell sends half of its answer; the client resets its connection",
    expected: "the cell's connection closed",
    got: async () => {
      await using setup = await Setup.with(answering(halfAnAnswer));
      const { client } = await setup.send(get("/"));
      await client.readHead();
      client.reset();
      return await feltByCell(setup);
    },
    likely: "The cell goes on working for nobody: nothing tells it that the client has gone.",
    lookAt: lookAtClose,
    hint: 1,
  });
});

test("a client that leaves before the head of its answer is felt by the cell", async () => {
  await check({
    sent: "GET /; the cell has read it and works on it; the client resets its connection",
    expected: "the cell's connection closed",
    got: async () => {
      await using setup = await Setup.with(answering(""));
      const { client } = await setup.send(get("/"));
      const there = eventually(() => reached(setup).includes("GET /"), {
        what: "it is there",
        deadlineMs: 2_000,
      });
      await within(1_500, "the cell to get the request", there);
      client.reset();
      return await feltByCell(setup);
    },
    likely:
      "Only an answer under way is looked after. The longest part of a slow request comes before its head.",
    lookAt: lookAtClose,
    hint: 1,
  });
});

test("a request whose client left while it waited for a connection never reaches the cell", async () => {
  await check({
    sent: "GET /first, and GET /second behind it, whose client leaves; then the first is answered, and GET /third comes",
    expected: ["GET /first", "GET /third"],
    got: async () => {
      let answerFirst = () => {};
      const mayAnswer = new Promise<void>((resolve) => {
        answerFirst = resolve;
      });
      await using setup = await Setup.with(async (connection) => {
        for (;;) {
          const { target } = await connection.readRequest();
          if (target === "/first") await mayAnswer;
          await connection.write(wholeAnswer);
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
      return reached(setup).match(/GET \/\w+/g) ?? [];
    },
    likely: "The client left before the request had a connection that could have been closed.",
    lookAt: "attempt.ts, onRequestStart",
    hint: 2,
  });
});

test("a client that left is told apart from a cell that broke", async () => {
  await check({
    sent: "GET /; the client leaves in the middle of the answer",
    expected: "client-aborted",
    got: async () => {
      await using setup = await Setup.with(answering(halfAnAnswer));
      const { client, result } = await setup.send(get("/"));
      await client.readHead();
      client.reset();
      return (await within(1_200, "the attempt to end", result)).kind;
    },
    likely: "What is logged here counts against the cell, in alerts and later in its circuit breaker.",
    lookAt: lookAtClose,
    hint: 2,
  });
});

/** How an answer that the cell cut looks to its client. */
async function cutAnswer(version: string): Promise<string> {
  await using setup = await Setup.with(async (connection) => {
    await connection.readRequest();
    await connection.write(halfAnAnswer);
    connection.halfClose();
  });
  const { client, result } = await setup.send(get("/", version));
  const answer = await client.readResponse();
  await within(1_000, "the attempt to end", result);
  const { end } = client.reader;
  if (answer.ending === "truncated") return "cut: the body has no end";
  return end === "reset" ? "cut: the connection was reset" : "whole";
}

test("an answer that the cell cut does not look whole to the client", async () => {
  await check({
    sent: "GET / over HTTP/1.1; the cell sends one chunk, and then closes its connection",
    expected: "cut: the body has no end",
    got: () => cutAnswer("1.1"),
    likely: "The router wrote the end that the cell never sent.",
    lookAt: lookAtCut,
    hint: 3,
  });
});

test("an answer that the cell cut does not look whole to a client of HTTP/1.0 either", async () => {
  await check({
    sent: "GET / over HTTP/1.0; the cell sends one chunk, and then closes its connection",
    expected: "something that says cut",
    got: () => cutAnswer("1.0"),
    accept: (got) => got.startsWith("cut"),
    likely:
      "Without a length and without chunks, a close is how a body ends. How does this client learn that it did not?",
    lookAt: lookAtCut,
    hint: 3,
  });
});

test("a cell that breaks before its head leaves the client's connection for an error answer", async () => {
  await check({
    sent: "GET /; the cell resets its connection without an answer",
    expected: 502,
    got: async () => {
      await using setup = await Setup.with(async (connection) => {
        await connection.readRequest();
        connection.reset();
      });
      const { client } = await setup.send(get("/"));
      return (await client.readResponse()).status;
    },
    likely: "Nothing had been sent to this client yet: it can still be told.",
    lookAt: lookAtCut,
  });
});
