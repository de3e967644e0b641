import { test } from "vitest";
import { check, printable, shows } from "../../../support/check.ts";
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

/** What the words of `compared` show. */
function ofBytes(got: string): string | undefined {
  if (got === "as handed over") return undefined;
  const [sent = 0, wanted = 0, at = 0] = (got.match(/\d+/g) ?? []).map(Number);
  if (sent === 0) return "Nothing has left.";
  if (got.includes(': "~~')) return "Bytes from outside of `from` and `to` were sent.";
  if (sent !== wanted) return sent > wanted ? "More bytes left than should have." : "Bytes are missing.";
  return at === 0
    ? "What left first is not what came first: something overtook it, or changed it."
    : "The right number of bytes left, but in another order, or changed.";
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
    likely: shows((got) => {
      if (got === printable("")) return "Nothing has left.";
      if (got.includes("~~")) return "Bytes from outside of `from` and `to` were sent.";
      return got.startsWith(printable("hello").slice(0, -1)) ? "The body left before its head." : undefined;
    }),
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
    likely: shows(([small = "", big = ""]) =>
      small.includes("different from byte 128:") || big.includes("different from byte 128:")
        ? "The first wrong byte is 80: bytes above 7f left in a different encoding."
        : (ofBytes(small) ?? ofBytes(big)),
    ),
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
    likely: shows((calls) =>
      calls === 0
        ? "Nothing has left."
        : "The head did not wait for the body, or each was written by itself.",
    ),
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
    likely: shows(({ bytes, systemCalls }) => {
      if (bytes === printable("")) return "Nothing has left.";
      if (bytes !== printable(wire))
        return "Other bytes left than a size line, its 16 bytes and the end of the chunks.";
      return systemCalls === 2
        ? "The bytes are right, but one part of them was written by itself."
        : "The bytes are right, but their parts were written one by one: four bytes can cost as much as four thousand.";
    }),
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
    likely: shows(({ bytes, systemCalls }) => {
      if (bytes.includes(`: ${printable("\r\n0123456789abcdef01")}`))
        return "The line end stands in front of its piece.";
      if (bytes.includes(`: ${printable("5\r\nhello\r\n0\r\n\r\n")}`))
        return "The next response was chunked as well.";
      if (bytes.endsWith(`: ${printable("0\r\n\r\n")}`))
        return "The next response got the end of a chunked one.";
      const wrong = ofBytes(bytes);
      if (wrong !== undefined) return wrong;
      return systemCalls > 2 ? "The bytes are right, but some did not wait for their `flush`." : undefined;
    }),
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
    likely: shows(({ before, flushed }) => {
      const [text = 0, small = 0, largeOne = 0] = before;
      if (text > 0) return "Each piece left as soon as it came.";
      if (small === 0 && largeOne > 0) return "The large piece did not wait for `flush`.";
      if (flushed === 0) return "`flush` sent nothing.";
      return flushed > head.length + large.length + 10 ? "More bytes left than should have." : undefined;
    }),
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
    likely: shows(({ bytes, systemCalls }) => {
      const wrong = ofBytes(bytes);
      if (wrong !== undefined) return wrong;
      if (systemCalls === 18) return "The bytes are right, but each piece left by itself.";
      if (systemCalls === 13)
        return "The first flush was one call, and after it each piece left by itself: the flush left something changed.";
      return systemCalls > 3 ? "The bytes are right, but some did not wait for their `flush`." : undefined;
    }),
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
    likely: shows(ofBytes),
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
    likely: shows((calls) => {
      if (calls === 0) return "Nothing has left.";
      return calls === 2 ? "The gathered text and the large piece left in a call each." : undefined;
    }),
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
    likely: shows((kinds) => {
      if (kinds.length === 0) return "Nothing was written.";
      if (!kinds.includes("bytes"))
        return "The large body became text: it is decoded, and encoded again for nothing.";
      return "Text was written last: behind the large piece, or in its place.";
    }),
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
    likely: shows(({ bytes, systemCalls }) => {
      const wrong = ofBytes(bytes);
      if (wrong !== undefined) return wrong;
      return systemCalls === 40
        ? "The bytes are right, but each piece left by itself."
        : "The bytes are right, but some did not wait for `flush`: did something become full?";
    }),
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
    likely: shows((got) =>
      got.includes("!!!!")
        ? "What waited was the caller's buffer, and the next read has written over it."
        : ofBytes(got),
    ),
    lookAt: lookAtBody,
    hint: 2,
  });
});

test("after each flush everything has left", async () => {
  await check({
    sent: "text(head), flush; bodyBytes(hello), flush; bodyBytes(hello), flush while the receiver is behind; how many bytes have left after each",
    expected: [head.length, head.length + 5, head.length + 10],
    got: () => {
      const target = new CountingTarget();
      const outgoing = new Outgoing(target);
      outgoing.text(head);
      outgoing.flush();
      const left = [target.sent.length];
      for (const isBehind of [false, true]) {
        target.writableNeedDrain = isBehind;
        body(outgoing, "hello");
        outgoing.flush();
        left.push(target.sent.length);
      }
      return left;
    },
    likely: shows(([first = 0, second, third]) => {
      if (first === 0) return "The first flush sent nothing.";
      if (second === head.length)
        return "The second piece was flushed, and still waits. That may take an hour: an event stream sends a line now and then.";
      return third === second ? "What was flushed while the receiver was behind still waits." : undefined;
    }),
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
    likely: shows(({ bytes, systemCalls }) => {
      if (bytes.includes("0\\r\\n")) return "A chunk of size 0 was sent: to the client the body ends here.";
      return bytes === printable("") && systemCalls > 0 ? "Writing nothing was a system call." : undefined;
    }),
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
    likely: shows((got) => {
      if (got.behind)
        return "The backpressure signal is lost: the router keeps reading, and gathers the body in memory.";
      if (got["behind, nothing to send"])
        return "A flush of nothing does not pass the backpressure signal on.";
      return got["caught up"].includes(false)
        ? "The receiver has caught up, and still counts as behind."
        : "The receiver keeps up, and counts as behind.";
    }),
    lookAt: lookAtFlush,
  });
});
