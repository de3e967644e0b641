import { once } from "node:events";
import { setImmediate } from "node:timers/promises";
import { test } from "vitest";
import { check, type Outcome, within } from "../../../support/check.ts";
import { RequestBody } from "../starter/request-body.ts";
import { ResponseBody } from "../starter/response-body.ts";
import { comparedTo, distinctBytes, Exchange, restOf } from "./upload.ts";

/** The sentence for a wait in vain, or else what the value shows. */
const shows =
  <T>(silent: string | undefined, ofValue: (got: T) => string | undefined = () => undefined) =>
  (came: Outcome<T>): string | undefined => {
    if (came.kind === "silent") return silent;
    return came.kind === "returned" ? ofValue(came.value) : undefined;
  };

/** What the words of `comparedTo` show. */
function bytesShow(got: string): string | undefined {
  const [arrived = 0, sent = 0] = (got.match(/\d+/g) ?? []).map(Number);
  if (arrived > sent) return "More bytes arrived than were sent: a piece was passed on twice.";
  return arrived < sent ? "Bytes are missing: a piece was lost." : undefined;
}

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
    likely: shows(
      "The client has sent all of its body, but the stream to the cell doesn't end.",
      ({ body, bytesIn }) => {
        if (body !== "hello") return "The cell doesn't read what the client sent.";
        if (bytesIn > 5) return "A byte was counted more than once.";
        return bytesIn < 5 ? "Not every byte was counted." : undefined;
      },
    ),
    lookAt: "request-body.ts, #onData and #onEnd",
  });
});

test("a cell that does not read stops the client, after a little", async () => {
  await check({
    sent: "POST with 2 MiB, to a cell that accepts the request and does not read its body",
    expected: "at most 512 KiB taken from the client",
    got: async () => {
      await using exchange = await posting(2 * MiB);
      const body = new RequestBody(exchange.req, { bytesIn: 0 });
      body.on("error", () => {});
      exchange.client.write(Buffer.alloc(2 * MiB));
      // The HTTP client looks whether there is something to send, and no more than that.
      body.read(0);
      const taken = await restOf(() => exchange.taken(), 512 * 1024);
      return `${Math.round(taken / 1024)} KiB taken`;
    },
    accept: (got) => Number.parseInt(got, 10) <= 512,
    likely: shows(undefined, (got) =>
      got === "2048 KiB taken"
        ? "The router took the whole upload, although the cell has read nothing: all of it waits in the router's memory."
        : undefined,
    ),
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
      exchange.client.write(content);
      body.read(0);
      await restOf(() => exchange.taken(), content.length);
      return comparedTo(content, await within(3_000, "the rest of the body", readAll(body, content.length)));
    },
    likely: shows("The cell reads again, but the rest of the upload doesn't come.", bytesShow),
    lookAt: lookAtPush,
    hint: 2,
  });
});

test("half an upload does not look like a whole one", async () => {
  await check({
    sent: "POST with half of its body; then the client closes its connection",
    expected: "an error",
    got: async () => {
      await using exchange = await posting(10);
      const body = new RequestBody(exchange.req, { bytesIn: 0 });
      const end = readAll(body, 10).then(
        (read) => `an end after ${read.length} bytes`,
        () => "an error",
      );
      exchange.client.write("hello");
      exchange.client.end();
      return await within(1_000, "the stream to fail", end);
    },
    likely: shows(
      "The client has gone, but the stream neither ends nor fails: the cell waits forever.",
      (got) =>
        got.startsWith("an end") ? "The stream ended as if the client had sent all of its body." : undefined,
    ),
    lookAt: "request-body.ts, #onClose",
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
    likely: shows("As long as the client had more to send, the cell got nothing."),
    lookAt: "request-body.ts, #onData",
  });
});

test("an attempt that gives up its body leaves the client's connection open for the response", async () => {
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
      const [response] = await within(1_000, "the response", once(exchange.client, "data"));
      return String(response).split("\r\n")[0] ?? "";
    },
    likely: (came) =>
      came.kind === "threw" && String(came.error).includes("ECONNRESET")
        ? "The client's connection was reset before the response could go out."
        : undefined,
    lookAt: "request-body.ts, _destroy",
  });
});

const total = 24 * MiB;
const content = distinctBytes(total);
const lookAtResponse = "response-body.ts, onData";

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

  send(body: ResponseBody): void {
    const piece = content.subarray(this.sent, this.sent + 128 * 1024);
    this.sent += piece.length;
    body.onData(piece);
  }

  /** Sends until it is stopped for good, or all is sent. Returns the most that waited in the router at one time. */
  async sendUntilStopped(body: ResponseBody, waiting: () => number): Promise<number> {
    let most = 0;
    // The kernel takes a few megabytes before a client's slowness shows: the first pauses are short ones.
    for (let turnsPaused = 0; this.sent < total && turnsPaused < 50; await setImmediate()) {
      turnsPaused = this.paused ? turnsPaused + 1 : 0;
      if (!this.paused) this.send(body);
      most = Math.max(most, waiting());
      // Enough is known, and the rest would only take time.
      if (most > 4 * MiB) break;
    }
    return most;
  }

  async mayGoOn(): Promise<void> {
    while (this.paused) await new Promise<void>((resolve) => (this.#resumed = resolve));
  }

  async sendRest(body: ResponseBody): Promise<void> {
    while (this.sent < total) {
      await this.mayGoOn();
      this.send(body);
      await setImmediate();
    }
  }
}

/** A response of 24 MiB to a client that has read nothing of it yet, up to where the cell is stopped. */
async function responding() {
  const exchange = await Exchange.begin("GET /download HTTP/1.1\r\nConnection: close");
  const cell = new Cell();
  const body = new ResponseBody(exchange.res, cell);
  exchange.res.writeHead(200, { "Content-Length": total });
  const sendUntilStopped = () => cell.sendUntilStopped(body, () => exchange.res.writableLength);
  const most = await sendUntilStopped();
  const readAllOfIt = async () => {
    const bytes = await readAll(exchange.client, 2 * total);
    return comparedTo(content, bytes.subarray(bytes.indexOf("\r\n\r\n") + 4));
  };
  return {
    cell,
    body,
    most,
    sendUntilStopped,
    readAllOfIt,
    res: exchange.res,
    client: exchange.client,
    [Symbol.asyncDispose]: () => exchange[Symbol.asyncDispose](),
  };
}

/** Sends the rest to a client that reads all of it, and says what the client got. */
async function restArrives({ cell, body, res, readAllOfIt }: Awaited<ReturnType<typeof responding>>) {
  const read = readAllOfIt();
  await within(3_000, "the cell to be let go on", cell.sendRest(body));
  res.end();
  return await within(3_000, "the end of the response", read);
}

const inKiB = (most: number): string => `${Math.round(most / 1024)} KiB waiting`;
const atMostOneMiB = {
  expected: "at most 1024 KiB waiting in the router",
  accept: (got: string) => Number.parseInt(got, 10) <= 1024,
};

test("a client that does not read stops the cell", async () => {
  await check({
    sent: "a response of 24 MiB, to a client that does not read it",
    ...atMostOneMiB,
    got: async () => {
      await using response = await responding();
      return inKiB(response.most);
    },
    likely: shows(undefined, (got) =>
      Number.parseInt(got, 10) > 4096
        ? "The client reads nothing, but the cell goes on sending: more and more waits in the router's memory."
        : undefined,
    ),
    lookAt: lookAtResponse,
    hint: 1,
  });
});

test("a client that has caught up and falls behind again stops the cell again", async () => {
  await check({
    sent: "a response of 24 MiB, to a client that reads nothing, then until the cell goes on, and then nothing again",
    ...atMostOneMiB,
    got: async () => {
      await using response = await responding();
      const { cell, client } = response;
      client.resume();
      await within(3_000, "the cell to be let go on", cell.mayGoOn());
      client.pause();
      return inKiB(await response.sendUntilStopped());
    },
    likely: shows("The client reads again, but the cell is still paused.", (got) =>
      Number.parseInt(got, 10) > 4096
        ? "The client has stopped reading again, but the cell goes on sending."
        : undefined,
    ),
    lookAt: lookAtResponse,
    hint: 2,
  });
});

test("once the client has caught up, the cell is let go on and the response arrives whole", async () => {
  await check({
    sent: "a response of 24 MiB, to a client that reads nothing at first, and then all of it",
    expected: "every byte, in order",
    got: async () => {
      await using response = await responding();
      return await restArrives(response);
    },
    likely: shows("The client reads, but the response goes no further.", bytesShow),
    lookAt: lookAtResponse,
    hint: 2,
  });
});

test("a piece that was under way when the cell was paused still belongs to the response", async () => {
  await check({
    sent: "three more pieces right after the pause, then the rest",
    expected: "every byte, in order",
    got: async () => {
      await using response = await responding();
      for (let late = 0; late < 3; late++) response.cell.send(response.body);
      return await restArrives(response);
    },
    likely: shows("The client reads, but the response goes no further.", bytesShow),
    lookAt: lookAtResponse,
    hint: 3,
  });
});

test("however many pieces come late, the client is waited for once", async () => {
  await check({
    sent: "20 more pieces right after the pause; then the listeners that wait for the client",
    expected: "at most 1 drain listener",
    got: async () => {
      await using response = await responding();
      for (let late = 0; late < 20; late++) response.cell.send(response.body);
      return `${response.res.listenerCount("drain")} drain listeners`;
    },
    accept: (got) => Number.parseInt(got, 10) <= 1,
    likely: shows(undefined, (got) =>
      Number.parseInt(got, 10) > 1
        ? "Late pieces added listeners of their own, or earlier waits left theirs behind."
        : undefined,
    ),
    lookAt: lookAtResponse,
    hint: 3,
  });
});
