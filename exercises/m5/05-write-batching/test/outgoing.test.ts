import { test } from "vitest";
import { check, printable } from "../../../support/check.ts";
import { maxTextBytes, Outgoing, type WriteTarget } from "../starter/outgoing.ts";

const lookAtBody = "outgoing.ts, bodyBytes";
const lookAtFlush = "outgoing.ts, flush";
const head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";

/** A socket that counts: bytes that have left, and the system calls that it took. */
class CountingTarget implements WriteTarget {
  writableNeedDrain = false;
  systemCalls = 0;
  readonly kinds: string[] = [];
  #waiting: Buffer[] = [];
  #sent: Buffer[] = [];
  #corks = 0;

  get sent(): Buffer {
    return Buffer.concat(this.#sent);
  }

  write(data: string | Buffer, encoding?: BufferEncoding): boolean {
    this.kinds.push(typeof data === "string" ? "text" : "bytes");
    // As a socket does: text is encoded now, a buffer is kept and not copied.
    this.#waiting.push(typeof data === "string" ? Buffer.from(data, encoding) : data);
    if (this.#corks === 0) this.#send();
    return !this.writableNeedDrain;
  }

  cork(): void {
    this.#corks++;
  }

  uncork(): void {
    if (this.#corks > 0) this.#corks--;
    if (this.#corks === 0 && this.#waiting.length > 0) this.#send();
  }

  #send(): void {
    this.systemCalls++;
    for (const bytes of this.#waiting.splice(0)) this.#sent.push(Buffer.from(bytes));
  }
}

/** A piece in the middle of a larger buffer, as the parser finds it. */
function body(outgoing: Outgoing, latin1: string): void {
  const bytes = Buffer.from(`~~~${latin1}~~`, "latin1");
  outgoing.bodyBytes(bytes, 3, bytes.length - 2);
}

/** What has left after `use`, and how. */
function after(use: (outgoing: Outgoing) => void): CountingTarget {
  const target = new CountingTarget();
  use(new Outgoing(target));
  return target;
}

/** Says where two byte sequences part, since 64 KiB are too much to read. */
function compared(sent: Buffer, wanted: string): string {
  const want = Buffer.from(wanted, "latin1");
  if (sent.equals(want)) return "as handed over";
  let at = 0;
  while (at < sent.length && sent[at] === want[at]) at++;
  return `${sent.length} of ${want.length} bytes, different from byte ${at}: ${printable(sent.subarray(at, at + 20))}`;
}

const large = "0123456789abcdef".repeat(4096);

/** All 256 bytes, as text of one character per byte. */
const allBytes = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join("");

test("what is handed over leaves in order", async () => {
  await check({
    sent: "text(head), bodyBytes(hello), flush",
    expected: printable(`${head}hello`),
    got: () =>
      printable(
        after((outgoing) => {
          outgoing.text(head);
          body(outgoing, "hello");
          outgoing.flush();
        }).sent,
      ),
    likely: "Something is lost, or the body overtakes its head.",
    lookAt: lookAtFlush,
  });
});

test("every byte passes as it is", async () => {
  await check({
    sent: `text(00 to ff), bodyBytes(00 to ff), flush; then the same with a body of ${allBytes.length * 256} bytes`,
    expected: ["as handed over", "as handed over"],
    got: () =>
      [allBytes, allBytes.repeat(256)].map((piece) => {
        const target = after((outgoing) => {
          outgoing.text(allBytes);
          body(outgoing, piece);
          outgoing.flush();
        });
        return compared(target.sent, allBytes + piece);
      }),
    likely:
      "Bytes became text in one encoding, and text became bytes in another. Latin-1 has one character per byte.",
    lookAt: lookAtFlush,
    hint: 2,
  });
});

test("a head and its body are one system call", async () => {
  await check({
    sent: "text(head), bodyBytes(hello), flush",
    expected: 1,
    got: () =>
      after((outgoing) => {
        outgoing.text(head);
        body(outgoing, "hello");
        outgoing.flush();
      }).systemCalls,
    likely: "Each piece is written when it comes. Only at `flush` is it known that the read brought no more.",
    lookAt: lookAtBody,
    hint: 1,
  });
});

test("a chunked response is one system call, its end included", async () => {
  const wire = "HEAD\r\n\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n";
  await check({
    sent: "text(head), chunking = true, bodyBytes(16 bytes), endChunks, flush",
    expected: { bytes: printable(wire), systemCalls: 1 },
    got: () => {
      const target = after((outgoing) => {
        outgoing.text("HEAD\r\n\r\n");
        outgoing.chunking = true;
        body(outgoing, "0123456789abcdef");
        outgoing.endChunks();
        outgoing.flush();
      });
      return { bytes: printable(target.sent), systemCalls: target.systemCalls };
    },
    likely:
      "A size line, a line end or the last chunk is written by itself: four bytes can cost as much as four thousand.",
    lookAt: "outgoing.ts, bodyBytes and endChunks",
    hint: 1,
  });
});

test("large pieces are chunked like small ones, and the next response is not", async () => {
  const first = `${head}10000\r\n${large}\r\n3\r\nabc\r\n0\r\n\r\n`;
  await check({
    sent: `text(head), chunking = true, bodyBytes(${large.length} bytes), bodyBytes(abc), endChunks, flush; text(head), bodyBytes(hello), endChunks, flush`,
    expected: { bytes: "as handed over", systemCalls: 2 },
    got: () => {
      const target = after((outgoing) => {
        outgoing.text(head);
        outgoing.chunking = true;
        body(outgoing, large);
        body(outgoing, "abc");
        outgoing.endChunks();
        outgoing.flush();
        outgoing.text(head);
        body(outgoing, "hello");
        outgoing.endChunks();
        outgoing.flush();
      });
      return { bytes: compared(target.sent, `${first}${head}hello`), systemCalls: target.systemCalls };
    },
    likely:
      "A size line or a line end is on the wrong side of its piece, or a body that is not chunked gets the end of one that is.",
    lookAt: "outgoing.ts, bodyBytes and endChunks",
    hint: 3,
  });
});

test("nothing leaves before flush", async () => {
  await check({
    sent: `text(head), bodyBytes(hello), bodyBytes(${large.length} bytes), bodyBytes(hello); how many bytes have left after each, and after flush`,
    expected: { before: [0, 0, 0, 0], flushed: head.length + large.length + 10 },
    got: () => {
      const target = new CountingTarget();
      const outgoing = new Outgoing(target);
      const before: number[] = [];
      for (const piece of [head, "hello", large, "hello"]) {
        if (piece === head) outgoing.text(piece);
        else body(outgoing, piece);
        before.push(target.sent.length);
      }
      outgoing.flush();
      return { before, flushed: target.sent.length };
    },
    likely:
      "A piece goes out when it comes, or when enough of them have come. Only `flush` knows that the read is over.",
    lookAt: lookAtBody,
    hint: 1,
  });
});

test("pieces of all sizes leave in order, and one flush after another", async () => {
  const pieces = ["a", large, "b", large.toUpperCase(), large, "c"];
  await check({
    sent: `three times: bodyBytes of ${pieces.map((piece) => piece.length).join(", ")} bytes, flush`,
    expected: { bytes: "as handed over", systemCalls: 3 },
    got: () => {
      const target = after((outgoing) => {
        for (let read = 0; read < 3; read++) {
          for (const piece of pieces) body(outgoing, piece);
          outgoing.flush();
        }
      });
      return { bytes: compared(target.sent, pieces.join("").repeat(3)), systemCalls: target.systemCalls };
    },
    likely:
      "Small and large pieces take different ways and overtake each other, or what the first flush did is not undone for the next.",
    lookAt: lookAtBody,
    hint: 3,
  });
});

test("a head and a large body leave in order", async () => {
  await check({
    sent: `text(head), bodyBytes(${large.length} bytes), flush`,
    expected: "as handed over",
    got: () => {
      const target = after((outgoing) => {
        outgoing.text(head);
        body(outgoing, large);
        outgoing.flush();
      });
      return compared(target.sent, head + large);
    },
    likely: "The large piece goes past what was gathered before it, or never leaves.",
    lookAt: lookAtBody,
    hint: 3,
  });
});

test("a head and a large body are one system call", async () => {
  await check({
    sent: `text(head), bodyBytes(${large.length} bytes), flush`,
    expected: 1,
    got: () =>
      after((outgoing) => {
        outgoing.text(head);
        body(outgoing, large);
        outgoing.flush();
      }).systemCalls,
    likely:
      "The gathered text and the large piece are two writes. A socket can take two writes and send them as one.",
    lookAt: lookAtBody,
    hint: 3,
  });
});

test("what is larger than maxTextBytes leaves as bytes, not as text", async () => {
  await check({
    sent: `text(head), bodyBytes(${large.length} bytes), flush (maxTextBytes is ${maxTextBytes})`,
    expected: "the large piece as bytes, behind its head",
    // The head may come with them, or as text in front of them.
    accept: (kinds) => kinds.at(-1) === "bytes",
    got: () =>
      after((outgoing) => {
        outgoing.text(head);
        body(outgoing, large);
        outgoing.flush();
      }).kinds,
    likely: "Everything becomes text, so a large body is decoded and encoded again for nothing.",
    lookAt: lookAtBody,
    hint: 3,
  });
});

test("forty pieces of one read are one system call", async () => {
  const pieces = Array.from({ length: 40 }, (_, i) => String.fromCharCode(0x41 + i).repeat(1000));
  await check({
    sent: "forty times bodyBytes(1000 bytes), flush",
    expected: { bytes: "as handed over", systemCalls: 1 },
    got: () => {
      const target = after((outgoing) => {
        for (const piece of pieces) body(outgoing, piece);
        outgoing.flush();
      });
      return { bytes: compared(target.sent, pieces.join("")), systemCalls: target.systemCalls };
    },
    likely:
      "Text is sent whenever it is full. You can hand it to the socket then, and still let it leave with the rest.",
    lookAt: lookAtBody,
    hint: 3,
  });
});

test("bytes are kept although the caller uses its buffer again", async () => {
  await check({
    sent: `bodyBytes(hello), bodyBytes(${large.length} bytes); the buffer is filled with "!" after each; flush`,
    expected: "as handed over",
    got: () => {
      const target = after((outgoing) => {
        const buffer = Buffer.alloc(large.length);
        for (const piece of ["hello", large]) {
          outgoing.bodyBytes(buffer, 0, buffer.write(piece, "latin1"));
          buffer.fill("!");
        }
        outgoing.flush();
      });
      return compared(target.sent, `hello${large}`);
    },
    likely: "A view of the caller's buffer waits for flush, and the next read writes over it.",
    lookAt: lookAtBody,
    hint: 2,
  });
});

test("after each flush everything has left", async () => {
  await check({
    sent: "text(head), flush; bodyBytes(hello), flush; how many bytes have left after each",
    expected: [head.length, head.length + 5],
    got: () => {
      const target = new CountingTarget();
      const outgoing = new Outgoing(target);
      outgoing.text(head);
      outgoing.flush();
      const first = target.sent.length;
      body(outgoing, "hello");
      outgoing.flush();
      return [first, target.sent.length];
    },
    likely: "Something waits for more. That may take an hour: an event stream sends a line now and then.",
    lookAt: lookAtFlush,
  });
});

test("a flush of nothing is no system call, and an empty piece no chunk", async () => {
  await check({
    sent: "flush; bodyBytes(0 bytes), flush; chunking = true, bodyBytes(0 bytes), flush",
    expected: { bytes: printable(""), systemCalls: 0 },
    got: () => {
      const target = after((outgoing) => {
        outgoing.flush();
        body(outgoing, "");
        outgoing.flush();
        outgoing.chunking = true;
        body(outgoing, "");
        outgoing.flush();
      });
      return { bytes: printable(target.sent), systemCalls: target.systemCalls };
    },
    likely: "A chunk of size 0 is the last chunk: to the client the body ends here.",
    lookAt: lookAtBody,
  });
});

test("flush says when the receiver must catch up", async () => {
  await check({
    sent: "flush while the receiver keeps up; while it is behind, with bytes and then without; and when it has caught up, without and with bytes",
    expected: {
      "keeps up": true,
      behind: false,
      "behind, nothing to send": false,
      "caught up": [true, true],
    },
    got: () => {
      const target = new CountingTarget();
      const outgoing = new Outgoing(target);
      outgoing.text(head);
      const first = outgoing.flush();
      target.writableNeedDrain = true;
      body(outgoing, "hello");
      const behind = outgoing.flush();
      const nothing = outgoing.flush();
      target.writableNeedDrain = false;
      const caughtUp = [outgoing.flush()];
      body(outgoing, "hello");
      caughtUp.push(outgoing.flush());
      return { "keeps up": first, behind, "behind, nothing to send": nothing, "caught up": caughtUp };
    },
    likely:
      "The backpressure signal is lost, and the router keeps reading and gathers the body in memory. A flush of nothing must pass it on, too.",
    lookAt: lookAtFlush,
  });
});
