import { test } from "vitest";
import { check, printable, shows } from "../../../support/check.ts";
import { type HeadProgress, HeadReader, maxHeadBytes } from "../starter/head-reader.ts";

const lookAt = "head-reader.ts, push";
const lookAtHold = "head-reader.ts, #hold";
const head = "GET /a HTTP/1.1\r\nHost: example.test\r\n\r\n";

const said = (progress: HeadProgress): string =>
  typeof progress === "string" ? progress : `refused: ${progress.code} (${progress.rule})`;

/** Pushes each piece as a chunk of its own and says what came of the last, or of the first that was not partial. */
function pushAll(reader: HeadReader, pieces: readonly string[]): string {
  let progress: HeadProgress = "partial";
  for (const piece of pieces) {
    const chunk = Buffer.from(piece, "latin1");
    progress = reader.push(chunk, 0, chunk.length);
    if (progress !== "partial") break;
  }
  return progress === "complete" ? `complete: ${printable(reader.head)}` : said(progress);
}

const complete = `complete: ${printable(head)}`;

/** What it shows when a whole sound head has come and something other than that head came out. */
function notFound(got: string): string {
  if (got === "partial") return "The whole head has come, and its end was not found.";
  return got.startsWith("refused")
    ? "A sound head was refused."
    : "The head that came out is not the one that went in.";
}
/** A head of exactly `size` bytes. */
const headOf = (size: number): string => {
  const bare = "GET / HTTP/1.1\r\nX: \r\n\r\n";
  return bare.replace("X: ", `X: ${"x".repeat(size - bare.length)}`);
};

test("a head that comes whole is complete at once", async () => {
  await check({
    sent: printable(head),
    expected: complete,
    got: () => pushAll(new HeadReader(), [head]),
    likely: shows(notFound),
    lookAt,
  });
});

test("bytes before and after the head in the chunk are left alone", async () => {
  const chunk = Buffer.from(`BODY${head}hello`, "latin1");
  await check({
    sent: `push(${printable(chunk)}, 4, ${chunk.length})`,
    expected: { progress: "complete", head: printable(head), next: 4 + head.length },
    got: () => {
      const reader = new HeadReader();
      const progress = said(reader.push(chunk, 4, chunk.length));
      return { progress, head: printable(reader.head), next: reader.next };
    },
    likely: shows(({ progress, head: came, next }) => {
      if (progress !== "complete") return notFound(progress);
      if (came.includes("BODY")) return "Bytes in front of `from` were taken for the head.";
      if (came.includes("hello")) return "Bytes behind the head were taken for a part of it.";
      return next === head.length ? "`next` counts from `from`." : undefined;
    }),
    lookAt,
  });
});

test("a large body behind the head in the same chunk does not count", async () => {
  await check({
    sent: `a head, and ${maxHeadBytes} bytes of body in the same chunk`,
    expected: complete,
    got: () => pushAll(new HeadReader(), [head + "b".repeat(maxHeadBytes)]),
    likely: shows((got) =>
      got.includes("too large")
        ? "The bound was applied to everything that the read brought."
        : notFound(got),
    ),
    lookAt,
    hint: 3,
  });
});

test("a head that is cut in front of the empty line is found", async () => {
  const pieces = [head.slice(0, -2), head.slice(-2)];
  await check({
    sent: pieces.map(printable).join(" then "),
    expected: complete,
    got: () => pushAll(new HeadReader(), pieces),
    likely: shows((got) =>
      got === "partial"
        ? "Neither piece alone holds all of CR LF CR LF, and both together do."
        : notFound(got),
    ),
    lookAt,
    hint: 1,
  });
});

test("a head that is cut in two is found, wherever the cut is", async () => {
  await check({
    sent: `${printable(head)}, cut in two at every place, a new reader each time`,
    expected: "every cut: complete",
    got: () => {
      for (let cut = 1; cut < head.length; cut++) {
        const pieces = [head.slice(0, cut), head.slice(cut)];
        const came = pushAll(new HeadReader(), pieces);
        if (came !== complete) return `${pieces.map(printable).join(" then ")}: ${came}`;
      }
      return "every cut: complete";
    },
    likely: shows((got) => {
      if (got.endsWith("partial"))
        return "This cut hides the end of the head: the search does not see both pieces as one.";
      return got.includes('then "\\n') && got.includes("bare LF")
        ? "The LF that begins the second piece was judged without the CR that ends the first."
        : undefined;
    }),
    lookAt,
    hint: 1,
  });
});

test("a head that comes byte by byte is found", async () => {
  await check({
    sent: `${printable(head)}, each byte as a chunk of its own`,
    expected: complete,
    got: () => pushAll(new HeadReader(), [...head]),
    likely: shows((got) => {
      if (got === "partial")
        return "The four bytes of the empty line came in four chunks, and were not found.";
      return got.includes("bare LF")
        ? "An LF was judged without the CR at the end of the chunk before it."
        : notFound(got);
    }),
    lookAt,
    hint: 1,
  });
});

test("next is an index in the last chunk, not in what was held", async () => {
  const last = Buffer.from(`\nhello`, "latin1");
  await check({
    sent: `${printable(head.slice(0, -1))}, then ${printable(last)}`,
    expected: { progress: "complete", rest: printable("hello") },
    got: () => {
      const reader = new HeadReader();
      pushAll(reader, [head.slice(0, -1)]);
      const progress = said(reader.push(last, 0, last.length));
      return { progress, rest: printable(last.subarray(reader.next)) };
    },
    likely: shows(({ progress, rest }) => {
      if (progress.includes("bare LF"))
        return "An LF was judged without the CR at the end of the chunk before it.";
      if (progress !== "complete") return notFound(progress);
      return rest === printable("")
        ? "`next` points past the bytes of this chunk: does it also count what was held before?"
        : `\`next\` is too ${rest.endsWith('hello"') ? "small" : "large"}.`;
    }),
    lookAt,
    hint: 2,
  });
});

test("only the bytes from `from` to `to` are read, in each piece", async () => {
  const cut = 20;
  const room = (piece: string) => `~~~${piece}\r\n\r\nold`;
  const [first, second] = [room(head.slice(0, cut)), room(`${head.slice(cut)}hello`)];
  await check({
    sent: `push(${printable(first)}, 3, ${3 + cut}), then push(${printable(second)}, 3, ${second.length - 7})`,
    expected: { first: "partial", second: "complete", head: printable(head), rest: printable("hello") },
    got: () => {
      const reader = new HeadReader();
      const push = (chunk: Buffer) => said(reader.push(chunk, 3, chunk.length - 7));
      const one = push(Buffer.from(first, "latin1"));
      const chunk = Buffer.from(second, "latin1");
      const two = push(chunk);
      const rest = printable(chunk.subarray(reader.next, chunk.length - 7));
      return { first: one, second: two, head: printable(reader.head), rest };
    },
    likely: shows((got) => {
      if (got.first === "complete")
        return "An empty line behind `to` was found: it is left from an older read.";
      if (got.second !== "complete") return notFound(got.second);
      if (got.head.includes("~") || got.head.includes("old"))
        return "Bytes from outside of `from` and `to` were taken for the head.";
      if (got.head !== printable(head)) return notFound(got.head);
      return got.rest === printable("")
        ? "`next` points past the bytes of this chunk: does it also count what was held before?"
        : "`next` is not the index behind the head in this chunk: does it count from `from`?";
    }),
    lookAt,
    hint: 2,
  });
});

test("what is held survives when the read buffer is used again", async () => {
  await check({
    sent: `${printable(head)} in two pieces through one buffer, as the socket's reads do it`,
    expected: complete,
    got: () => {
      const reader = new HeadReader();
      const buffer = Buffer.alloc(64);
      const cut = 20;
      reader.push(buffer, 0, buffer.write(head.slice(0, cut), "latin1"));
      const progress = reader.push(buffer, 0, buffer.write(head.slice(cut), "latin1"));
      return progress === "complete" ? `complete: ${printable(reader.head)}` : said(progress);
    },
    likely: shows((got) => {
      if (got.includes("\\u0000")) return "Bytes behind `to` were held as well.";
      const copies = got.split("example.test").length - 1;
      return copies === 2
        ? "The second piece is there twice: the read wrote over what was held of the first."
        : undefined;
    }),
    lookAt: lookAtHold,
    hint: 2,
  });
});

test("after a head in pieces the next head begins afresh", async () => {
  await check({
    sent: `${printable(head)} three times through one reader: in two pieces, whole, in two pieces`,
    expected: [complete, complete, complete],
    got: () => {
      const reader = new HeadReader();
      const pieces = [head.slice(0, 9), head.slice(9)];
      return [pieces, [head], pieces].map((each) => pushAll(reader, each));
    },
    likely: shows(([first = "", second = ""]) => {
      if (first !== complete) return notFound(first);
      return second.startsWith("complete") && second.length > complete.length
        ? "What was held for the first head stands in front of the next one."
        : undefined;
    }),
    lookAt,
    hint: 2,
  });
});

test("a head of exactly maxHeadBytes passes, whole and in pieces", async () => {
  const largest = headOf(maxHeadBytes);
  await check({
    sent: `a head of ${maxHeadBytes} bytes: whole, then cut before its last byte`,
    expected: ["complete", "complete"],
    got: () =>
      [[largest], [largest.slice(0, -1), largest.slice(-1)]].map((pieces) =>
        pushAll(new HeadReader(), pieces).slice(0, 8),
      ),
    likely: shows(([whole, pieces]) => {
      if (whole !== "complete") return "A whole head of exactly `maxHeadBytes` did not pass.";
      return pieces === "partial"
        ? "The whole head has come, and its end was not found."
        : "In pieces it was refused: its end was not found, or the bound comes a byte too early.";
    }),
    lookAt: lookAtHold,
    hint: 3,
  });
});

const refusedAsTooLarge = "refused: header-fields-too-large (head too large)";

test("a head above the bound is refused, although its end is there", async () => {
  await check({
    sent: `a whole head of ${maxHeadBytes + 1} bytes in one chunk`,
    expected: refusedAsTooLarge,
    got: () => pushAll(new HeadReader(), [headOf(maxHeadBytes + 1)]).slice(0, 80),
    likely: shows((got) => {
      if (got.startsWith("complete")) return "A large read got past the bound.";
      return got === "partial" ? "The whole head has come, and the reader waits for more." : undefined;
    }),
    lookAt,
    hint: 3,
  });
});

test("a head above the bound is refused in pieces, too", async () => {
  const cuts = [1, 8000, maxHeadBytes - 1, maxHeadBytes];
  await check({
    sent: `a head of ${maxHeadBytes + 1} bytes in two pieces, cut behind byte ${cuts.join(", ")}; a new reader each time`,
    expected: cuts.map(() => refusedAsTooLarge),
    got: () => {
      const large = headOf(maxHeadBytes + 1);
      return cuts.map((cut) =>
        pushAll(new HeadReader(), [large.slice(0, cut), large.slice(cut)]).slice(0, 80),
      );
    },
    likely: shows((got) => {
      if (got.includes("partial"))
        return "More than `maxHeadBytes` have come, and the reader waits for more.";
      return got.some((each) => each.startsWith("complete"))
        ? "It passed: the bound leaves out what was held before, or is not asked once the end has come."
        : undefined;
    }),
    lookAt,
    hint: 3,
  });
});

test("the bound counts each head of a connection for itself", async () => {
  const largest = headOf(maxHeadBytes);
  const pieces = [largest.slice(0, 9000), largest.slice(9000)];
  await check({
    sent: `three heads of ${maxHeadBytes} bytes through one reader, each in two pieces`,
    expected: ["complete", "complete", "complete"],
    got: () => {
      const reader = new HeadReader();
      return [1, 2, 3].map(() => pushAll(reader, pieces).slice(0, 8));
    },
    likely: shows(([first, ...others]) => {
      if (first !== "complete") return "A head of exactly `maxHeadBytes` did not pass.";
      return others.includes("refused:")
        ? "The first head passed, and its bytes count for the next one, too."
        : undefined;
    }),
    lookAt,
    hint: 2,
  });
});

test("a head that never ends is refused once the bound is full", async () => {
  await check({
    sent: `${maxHeadBytes} bytes without an empty line, in sixteen chunks`,
    expected: refusedAsTooLarge,
    got: () => {
      const endless = `GET / HTTP/1.1\r\nX: ${"x".repeat(maxHeadBytes)}`;
      return pushAll(
        new HeadReader(),
        Array.from({ length: 16 }, (_, i) => endless.slice(i * 1024, (i + 1) * 1024)),
      );
    },
    likely: shows((got) =>
      got === "partial"
        ? "The reader still waits: the bound is missing, comes too late, or counts a chunk alone."
        : undefined,
    ),
    lookAt: lookAtHold,
    hint: 3,
  });
});

test("a line that ends with LF alone is refused instead of waited for", async () => {
  const streams = [
    ["GET / HTTP/1.1\nHost: a\n\n"],
    ["GET / HTTP/1.1\r\nHost: a", "\n\n"],
    ["GET / HTTP/1.1\r\nHost: a\r\n", "\n"],
    ["\nGET / HTTP/1.1\r\n"],
  ];
  await check({
    sent: streams.map((pieces) => pieces.map(printable).join(" then ")).join("; "),
    expected: streams.map(() => "refused: malformed-request (bare LF)"),
    got: () => streams.map((pieces) => pushAll(new HeadReader(), pieces)),
    likely: shows((got) => {
      if (got.some((each) => each.startsWith("complete"))) return "LF LF was taken for the end of a head.";
      if (got[0] === "partial")
        return "The reader waits for CR LF CR LF, but this client has nothing more to send.";
      if (got.indexOf("partial") === 3) return "An LF that comes first has no CR before it either.";
      return got.includes("partial")
        ? "A bare LF was seen in the first piece, and not in a later one."
        : undefined;
    }),
    lookAt: lookAtHold,
    hint: 3,
  });
});

test("a bare LF behind the head is none of its business", async () => {
  const body = "a\nb\n\nc";
  await check({
    sent: `${printable(head + body)}: whole, and cut behind byte 9`,
    expected: [complete, complete],
    got: () => [
      pushAll(new HeadReader(), [head + body]),
      pushAll(new HeadReader(), [head.slice(0, 9), head.slice(9) + body]),
    ],
    likely: shows((got) =>
      got.some((each) => each.includes("bare LF"))
        ? "The lines of the body were judged as if they belonged to the head."
        : undefined,
    ),
    lookAt,
    hint: 3,
  });
});
