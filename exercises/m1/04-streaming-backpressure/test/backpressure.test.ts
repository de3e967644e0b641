import { once } from "node:events";
import { setImmediate } from "node:timers/promises";
import { test } from "vitest";
import { check, within } from "../../../support/check.ts";
import { AnswerBody } from "../starter/answer-body.ts";
import { RequestBody } from "../starter/request-body.ts";
import { comparedTo, distinctBytes, Exchange } from "./upload.ts";

const MiB = 1024 * 1024;
const lookAtPush = "request-body.ts, #onData and _read";

const posting = (bytes: number) => Exchange.begin(`POST /upload HTTP/1.1\r\nContent-Length: ${bytes}`);

/** Reads a body to its end, or until there is more of it than was ever sent. */
async function readAll(body: AsyncIterable<Buffer>, atMost: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of body) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > atMost) break;
  }
  return Buffer.concat(pieces);
}

test("an upload passes whole, and its bytes are counted", async () => {
  await check({
    sent: "POST with the body `hello`, read by the cell at once",
    expected: { body: "hello", bytesIn: 5 },
    got: async () => {
      await using exchange = await posting(5);
      const counts = { bytesIn: 0 };
      const body = new RequestBody(exchange.req, counts);
      exchange.client.write("hello");
      const read = await within(1_000, "the end of the body", readAll(body, 5));
      return { body: read.toString(), bytesIn: counts.bytesIn };
    },
    likely: "Pieces do not reach the stream, or its end does not.",
    lookAt: "request-body.ts, #onData and #onEnd",
  });
});

test("a cell that does not read stops the client, after a little", async () => {
  await check({
    sent: "POST with 2 MiB, to a cell that accepts the request and does not read its body",
    expected: "at most 512 KiB taken from the client, then a pause",
    got: async () => {
      await using exchange = await posting(2 * MiB);
      const counts = { bytesIn: 0 };
      const body = new RequestBody(exchange.req, counts);
      body.on("error", () => {});
      const stopped = Promise.race([once(exchange.req, "pause"), once(exchange.req, "end")]);
      exchange.client.write(Buffer.alloc(2 * MiB));
      // The HTTP client looks whether there is something to send, and no more than that.
      body.read(0);
      await within(3_000, "the client to be stopped", stopped);
      return `${Math.round(counts.bytesIn / 1024)} KiB taken`;
    },
    accept: (got) => Number.parseInt(got, 10) <= 512,
    likely:
      "All of the upload waits in the router's memory. Somebody said that it was enough, and nobody listened.",
    lookAt: lookAtPush,
    hint: 1,
  });
});

test("once the cell reads again, the client is let go on and the upload arrives whole", async () => {
  const content = distinctBytes(2 * MiB);
  await check({
    sent: "POST with 2 MiB; the cell reads nothing at first, and then all of it",
    expected: "every byte, in order",
    got: async () => {
      await using exchange = await posting(content.length);
      const body = new RequestBody(exchange.req, { bytesIn: 0 });
      const stopped = Promise.race([once(exchange.req, "pause"), once(exchange.req, "end")]);
      exchange.client.write(content);
      body.read(0);
      await within(3_000, "the client to be stopped", stopped);
      return comparedTo(content, await within(3_000, "the rest of the body", readAll(body, content.length)));
    },
    likely: "The client was stopped, and then never let go on; or a piece was taken twice.",
    lookAt: lookAtPush,
    hint: 2,
  });
});

test("the first piece of an upload reaches the cell before the last has been sent", async () => {
  await check({
    sent: "the first 5 bytes of 10, and the other 5 once the cell has those",
    expected: "hello",
    got: async () => {
      await using exchange = await posting(10);
      const body = new RequestBody(exchange.req, { bytesIn: 0 });
      body.on("error", () => {});
      exchange.client.write("hello");
      const [first] = await within(1_000, "the first piece", once(body, "data"));
      return String(first);
    },
    likely: "The body is collected. An upload that lasts an hour would reach the cell after an hour.",
    lookAt: "request-body.ts, #onData",
  });
});

test("an attempt that gives up its body leaves the client's connection open for the answer", async () => {
  await check({
    sent: "POST with half of its body; the attempt fails and destroys its stream; the router answers 502",
    expected: "HTTP/1.1 502 Bad Gateway",
    got: async () => {
      await using exchange = await posting(10);
      const body = new RequestBody(exchange.req, { bytesIn: 0 });
      const closed = new Promise((resolve) => body.once("close", resolve));
      body.on("error", () => {});
      exchange.client.write("hello");
      body.read(0);
      body.destroy(new Error("The cell refused."));
      await within(1_000, "the stream to close", closed);
      exchange.res.writeHead(502).end();
      const [answer] = await within(1_000, "the answer", once(exchange.client, "data"));
      return String(answer).split("\r\n")[0] ?? "";
    },
    likely: "The stream took the client's connection down with it.",
    lookAt: "request-body.ts, _destroy",
  });
});

const total = 16 * MiB;
const answerContent = distinctBytes(total);
const lookAtAnswer = "answer-body.ts, onData";

/** Sends pieces as fast as it is allowed to, like a cell on the same machine. */
class Cell {
  sent = 0;
  paused = false;
  #resumed: () => void = () => {};

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.#resumed();
  }

  send(body: AnswerBody): void {
    const piece = answerContent.subarray(this.sent, this.sent + 128 * 1024);
    this.sent += piece.length;
    body.onData(piece);
  }

  /** Sends until it is stopped for good, or all is sent. Returns the most that waited in the router at one time. */
  async sendUntilStopped(body: AnswerBody, waiting: () => number): Promise<number> {
    let most = 0;
    // The kernel takes a few megabytes before a client's slowness shows: the first pauses are short ones.
    for (let turnsPaused = 0; this.sent < total && turnsPaused < 50; await setImmediate()) {
      turnsPaused = this.paused ? turnsPaused + 1 : 0;
      if (!this.paused) this.send(body);
      most = Math.max(most, waiting());
    }
    return most;
  }

  async sendRest(body: AnswerBody): Promise<void> {
    while (this.sent < total) {
      if (this.paused) await new Promise<void>((resolve) => (this.#resumed = resolve));
      else this.send(body);
      await setImmediate();
    }
  }
}

/** An answer of 16 MiB to a client that has read nothing of it yet. */
async function answering() {
  const exchange = await Exchange.begin("GET /download HTTP/1.1\r\nConnection: close");
  const cell = new Cell();
  const body = new AnswerBody(exchange.res, cell);
  exchange.res.writeHead(200, { "Content-Length": total });
  const most = await cell.sendUntilStopped(body, () => exchange.res.writableLength);
  const readAnswer = async () => {
    const bytes = await readAll(exchange.client, 2 * total);
    return comparedTo(answerContent, bytes.subarray(bytes.indexOf("\r\n\r\n") + 4));
  };
  return {
    cell,
    body,
    most,
    res: exchange.res,
    readAnswer,
    [Symbol.asyncDispose]: () => exchange[Symbol.asyncDispose](),
  };
}

test("a client that does not read stops the cell", async () => {
  await check({
    sent: "an answer of 16 MiB, to a client that does not read it",
    expected: "at most 1024 KiB waiting in the router",
    got: async () => {
      await using answer = await answering();
      return `${Math.round(answer.most / 1024)} KiB waiting`;
    },
    accept: (got) => Number.parseInt(got, 10) <= 1024,
    likely: "What the client does not read waits in the router's memory, up to the end of the answer.",
    lookAt: lookAtAnswer,
    hint: 1,
  });
});

test("once the client has caught up, the cell is let go on and the answer arrives whole", async () => {
  await check({
    sent: "an answer of 16 MiB, to a client that reads nothing at first, and then all of it",
    expected: "every byte, in order",
    got: async () => {
      await using answer = await answering();
      const read = answer.readAnswer();
      await within(3_000, "the cell to be let go on", answer.cell.sendRest(answer.body));
      answer.res.end();
      return await within(3_000, "the end of the answer", read);
    },
    likely: "The cell was paused, and nothing that happens later lets it go on.",
    lookAt: lookAtAnswer,
    hint: 2,
  });
});

test("a piece that was under way when the cell was paused still belongs to the answer", async () => {
  await check({
    sent: "three more pieces right after the pause, then the rest",
    expected: "every byte, in order",
    got: async () => {
      await using answer = await answering();
      for (let late = 0; late < 3; late++) answer.cell.send(answer.body);
      const read = answer.readAnswer();
      await within(3_000, "the cell to be let go on", answer.cell.sendRest(answer.body));
      answer.res.end();
      return await within(3_000, "the end of the answer", read);
    },
    likely: "What came after the pause was dropped.",
    lookAt: lookAtAnswer,
    hint: 3,
  });
});

test("however many pieces come late, the client is waited for once", async () => {
  await check({
    sent: "20 more pieces right after the pause; then the listeners that wait for the client",
    expected: "at most 1 drain listener",
    got: async () => {
      await using answer = await answering();
      for (let late = 0; late < 20; late++) answer.cell.send(answer.body);
      return `${answer.res.listenerCount("drain")} drain listeners`;
    },
    accept: (got) => Number.parseInt(got, 10) <= 1,
    likely: "Each late piece waits for the same client anew; each will let the cell go on.",
    lookAt: lookAtAnswer,
    hint: 3,
  });
});
