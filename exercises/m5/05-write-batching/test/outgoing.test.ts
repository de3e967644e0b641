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

function body(outgoing: Outgoing, latin1: string): void {
  const bytes = Buffer.from(latin1, "latin1");
  outgoing.bodyBytes(bytes, 0, bytes.length);
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
  const all = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join("");
  await check({
    sent: "bodyBytes(the 256 bytes 00 to ff), flush",
    expected: "as handed over",
    got: () => {
      const target = after((outgoing) => {
        body(outgoing, all);
        outgoing.flush();
      });
      return compared(target.sent, all);
    },
    likely:
      "Bytes became text in one encoding and text became bytes in another. Latin-1 has one character for each byte.",
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
    likely:
      "Each piece is written when it comes. The pieces of one read are known to be complete only at flush.",
    lookAt: lookAtBody,
    hint: 1,
  });
});

test("a chunked answer is one system call, its end included", async () => {
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
    likely: "Everything becomes text, so that a large body is decoded and encoded again for nothing.",
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
      "Whenever the text is full, it is sent. It may go to the socket then, and yet leave with the rest.",
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
    likely:
      "Something waits for more to come. The rest may take an hour: an event stream sends a line now and then.",
    lookAt: lookAtFlush,
  });
});

test("a flush of nothing is no system call, and an empty piece no chunk", async () => {
  await check({
    sent: "flush; chunking = true, bodyBytes(0 bytes), flush",
    expected: { bytes: printable(""), systemCalls: 0 },
    got: () => {
      const target = after((outgoing) => {
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
    sent: "flush with a receiver that keeps up, then with one that does not",
    expected: [true, false],
    got: () => {
      const target = new CountingTarget();
      const outgoing = new Outgoing(target);
      outgoing.text(head);
      const first = outgoing.flush();
      target.writableNeedDrain = true;
      body(outgoing, "hello");
      return [first, outgoing.flush()];
    },
    likely: "Nobody hears that the receiver is behind, and the router gathers the whole body in memory.",
    lookAt: lookAtFlush,
  });
});
