import { test } from "vitest";
import { check, printable, shows } from "../../../support/check.ts";
import { ChunkedReader } from "../starter/chunked-reader.ts";

const lookAt = "chunked-reader.ts, read";
const lookAtSize = "chunked-reader.ts, the size line";

interface Forwarded {
  readonly passed: string;
  readonly end: string;
}

/** Reads each piece as a read of its own, and stops where a router would. `passed`: what was sent on. */
function readRaw(pieces: readonly string[]): Forwarded {
  const reader = new ChunkedReader();
  let passed = "";
  for (const piece of pieces) {
    // In the middle of a larger buffer, like the socket's: only `[from, to)` may be read.
    const bytes = Buffer.from(`~~${piece}~~`, "latin1");
    const to = bytes.length - 2;
    const next = reader.read(bytes, 2, to, (source, from, until) => {
      passed += source.toString("latin1", from, until);
    });
    // The router reads into the same buffer again.
    bytes.fill("!");
    if (reader.refusal !== undefined) {
      return { passed, end: reader.refusal.rule.trim() === "" ? "refused without a rule" : "refused" };
    }
    if (reader.done) {
      const left = piece.slice(next - 2);
      return { passed, end: left === "" ? "done" : `done, left: ${printable(left)}` };
    }
  }
  return { passed, end: "more to come" };
}

function readAll(pieces: readonly string[]): Forwarded {
  const { passed, end } = readRaw(pieces);
  return { passed: printable(passed), end };
}

/** What the end of a sound body shows that nothing follows. */
function ofEnd(end: string): string | undefined {
  if (end.startsWith("refused")) return "A sound body was refused.";
  if (end === "more to come") return "The body has ended, and the reader waits for more.";
  return end.startsWith("done, left")
    ? "The body counts as done before its end, or `read` returns too small a number."
    : undefined;
}

/** The same for a body that was cut: `PIECE then PIECE: END, passed BYTES`. */
function ofCut(got: string): string | undefined {
  const cut = got.includes(" then ");
  if (got.includes(": done"))
    return got.includes(": done, left")
      ? "The body counts as done before its end, or `read` returns too small a number."
      : undefined;
  if (got.includes(": refused"))
    return cut
      ? "With this cut it is refused: a piece was read without what came before."
      : "A sound body was refused.";
  return cut
    ? "With this cut the end of the body is not seen."
    : "The body has ended, and the reader waits for more.";
}

interface Faulty {
  readonly sound: string;
  /** Begins with the fault. */
  readonly rest: string;
}

/**
 * Body after body, so that a failure shows the first one that went wrong: whole, then byte by byte. Nothing from the fault on may
 * be sent; of the sound bytes in front of it, any number.
 */
async function checkRefused(
  bodies: readonly Faulty[],
  words: {
    /** What it shows that this body was not refused. */
    readonly likely: (body: Faulty, got: Forwarded) => string | undefined;
    readonly lookAt: string;
    readonly hint: number;
  },
): Promise<void> {
  for (const faultyBody of bodies) {
    const { sound, rest } = faultyBody;
    for (const pieces of [[sound + rest], [...(sound + rest)]]) {
      const how = pieces.length === 1 ? "whole" : "byte by byte";
      await check({
        ...words,
        sent: `${printable(sound + rest)}, ${how}`,
        expected:
          sound === "" ? "refused, nothing sent on" : `refused, no more than ${printable(sound)} sent on`,
        accept: ({ end, passed }) => end === "refused" && sound.startsWith(passed),
        got: () => readRaw(pieces),
        likely: shows((got) => {
          if (got.end === "refused without a rule") return "The refusal has no rule.";
          if (got.end === "refused") return "It was refused, but bytes from the fault on had been sent.";
          return words.likely(faultyBody, got);
        }),
      });
    }
  }
}
const faulty = (sound: string, rest: string) => ({ sound, rest });

/** What it shows that bytes from the fault on were sent and nothing was refused; where none were, something else is wrong. */
const accepted =
  (say: (body: Faulty) => string) =>
  (body: Faulty, { passed }: Forwarded): string | undefined =>
    body.sound.startsWith(passed) ? undefined : say(body);

const wire = "5\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n";

test("a chunked body that comes whole passes as it came", async () => {
  await check({
    sent: printable(wire),
    expected: { passed: printable(wire), end: "done" },
    got: () => readAll([wire]),
    likely: shows(({ passed, end }) =>
      passed.includes("hello") && !passed.includes("10\\r\\n")
        ? "The size lines are not sent on: the receiver must see the same chunks."
        : ofEnd(end),
    ),
    lookAt,
  });
});

test("data is sent on as it comes, before its chunk is whole", async () => {
  await check({
    sent: `${printable("a\r\n01234")} and then ${printable("56")}, and no more for now`,
    expected: [
      { passed: printable("a\r\n01234"), end: "more to come" },
      { passed: printable("a\r\n0123456"), end: "more to come" },
    ],
    got: () => [readAll(["a\r\n01234"]), readAll(["a\r\n01234", "56"])],
    likely: shows(([first, second]) => {
      if (first === undefined || second === undefined) return undefined;
      if (first.end !== "more to come") return ofEnd(first.end);
      if (second.end !== "more to come") return ofEnd(second.end);
      return !first.passed.includes("01234") || !second.passed.includes("56")
        ? "Data is held back until more of its chunk comes. A chunk may be a gigabyte, and may take an hour."
        : undefined;
    }),
    lookAt,
    hint: 2,
  });
});

test("a body is the same however it is cut", async () => {
  await check({
    sent: `${printable(wire)}, cut in two at every place, then byte by byte`,
    expected: "every cut: passed as it came, done",
    got: () => {
      const cuts = Array.from(wire, (_, at) =>
        [wire.slice(0, at), wire.slice(at)].filter((piece) => piece !== ""),
      );
      for (const pieces of [...cuts, [...wire]]) {
        const { passed, end } = readAll(pieces);
        if (passed !== printable(wire) || end !== "done")
          return `${pieces.map(printable).join(" then ")}: ${end}, passed ${passed}`;
      }
      return "every cut: passed as it came, done";
    },
    likely: shows(ofCut),
    lookAt,
    hint: 1,
  });
});

test("sizes are hexadecimal in either case, with leading zeros, and counted for each chunk", async () => {
  const chunk = (size: string) => `${size}\r\n${"x".repeat(Number.parseInt(size, 16))}\r\n`;
  const bodies = [
    `${chunk("A")}${chunk("b")}${chunk("1F")}${chunk("fF")}0\r\n\r\n`,
    `${chunk("0000000000005")}000\r\n\r\n`,
    `${chunk("10").repeat(20)}0\r\n\r\n`,
    "0\r\n\r\n",
  ];
  await check({
    sent: `bodies with chunks of these sizes: A, b, 1F, fF, 0; 0000000000005, 000; twenty times 10, 0; only 0`,
    expected: bodies.map(() => "passed as it came, done"),
    got: () =>
      bodies.map((body) => {
        const { passed, end } = readAll([body]);
        return `passed ${passed === printable(body) ? "as it came" : passed}, ${end}`;
      }),
    likely: shows((got) => {
      const refused = got.map((each) => each.endsWith("refused"));
      if (refused[2] && !refused[0])
        return "Twenty sizes of two digits were refused: their digits were added up.";
      if (refused[1] && !refused[0]) return "A size with zeros in front was refused.";
      if (refused[0] && !refused[1] && !refused[2]) return "One of the sizes A, b, 1F and fF was refused.";
      return got.some((each) => each.includes("done, left"))
        ? "The body counts as done before its end, or `read` returns too small a number."
        : undefined;
    }),
    lookAt: lookAtSize,
    hint: 3,
  });
});

const disguised = "5\r\n0\r\n\r\n\r\n0\r\n\r\n";
test("data that looks like the last chunk is data", async () => {
  await check({
    sent: `${printable("5\r\n0\r\n\r\n")}, then ${printable("\r\n0\r\n\r\n")}: a chunk of 5 bytes, and the last chunk`,
    expected: { passed: printable(disguised), end: "done" },
    got: () => readAll(["5\r\n0\r\n\r\n", "\r\n0\r\n\r\n"]),
    likely: shows(({ passed, end }) =>
      end === "done" && passed === printable("5\r\n0\r\n\r\n")
        ? "Five bytes of data were taken for the end of the body."
        : ofEnd(end),
    ),
    lookAt,
    hint: 1,
  });
});

test("a large chunk is counted to its last byte", async () => {
  // In data of this size, anything may stand: these bytes are data too.
  const sizes = ["80000005", "100000005", "fffffffff", "fffffffffffff"];
  const opened = sizes.map((size) => `${size}\r\nhello\r\n0\r\n\r\n`);
  await check({
    sent: `${opened.map(printable).join(", ")}: chunks of 2^31 + 5 bytes and more, of which few have come`,
    expected: opened.map((body) => ({ passed: printable(body), end: "more to come" })),
    got: () => opened.map((body) => readAll([body])),
    likely: shows((got) => {
      const done = got.filter(({ end }) => end === "done").length;
      if (done === got.length) return "Data that looks like the end of a body was taken for it.";
      if (done > 0) return "A size lost its upper digits: some operations cut a number to 32 bits.";
      if (got.some(({ end }) => end.startsWith("refused")))
        return "A size of at most thirteen digits was refused.";
      return got.some(({ passed }) => !passed.includes("hello"))
        ? "Data is held back until more of its chunk comes."
        : undefined;
    }),
    lookAt: lookAtSize,
    hint: 3,
  });
});

test("what follows the body is left for the next message", async () => {
  await check({
    sent: printable(`${wire}GET /next`),
    expected: { passed: printable(wire), end: `done, left: ${printable("GET /next")}` },
    got: () => readAll([`${wire}GET /next`]),
    likely: shows(({ passed, end }) => {
      if (passed.includes("GET /next")) return "The next request was sent on as a part of this body.";
      if (end.endsWith(': "GET /next"')) return undefined;
      return end === "done" ? "Bytes of the next request are lost: `read` counts them as taken." : ofEnd(end);
    }),
    lookAt,
    hint: 2,
  });
});

test("chunk extensions are left out, however they are cut", async () => {
  const extended = "5;name=value\r\nhello\r\n1;\r\n!\r\n0;last\r\n\r\n";
  const plain = { passed: printable("5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"), end: "done" };
  await check({
    sent: `${printable(extended)}: whole, cut in two at every place, then byte by byte`,
    expected: "every cut: passed without extensions, done",
    got: () => {
      const cuts = Array.from(extended, (_, at) => [extended.slice(0, at), extended.slice(at)]);
      for (const pieces of [...cuts.map((pair) => pair.filter((piece) => piece !== "")), [...extended]]) {
        const { passed, end } = readAll(pieces);
        if (passed !== plain.passed || end !== plain.end)
          return `${pieces.map(printable).join(" then ")}: ${end}, passed ${passed}`;
      }
      return "every cut: passed without extensions, done";
    },
    likely: shows((got) =>
      got.split(", passed ")[1]?.includes(";") ? "An extension was sent on." : ofCut(got),
    ),
    lookAt,
    hint: 3,
  });
});

test("a size that is no hexadecimal number is refused", async () => {
  const bodies = [
    ...["-5", "+5", "0x5", "5 ", " 5", "5\t", "g", "5g", "5_0", "5,x"].map((size) => {
      const digits = /^[0-9a-f]*/.exec(size)?.[0] ?? "";
      return faulty(digits, `${size.slice(digits.length)}\r\nhello\r\n0\r\n\r\n`);
    }),
    faulty("", "\r\nhello\r\n0\r\n\r\n"),
    faulty("", "\r\n\r\n"),
    faulty("", ";x\r\n\r\n"),
    faulty("5\r\nhello\r\n", "\r\n\r\n"),
    faulty("5\r\nhello\r\n", "x\r\n\r\n"),
  ];
  await checkRefused(bodies, {
    likely: accepted(({ sound, rest }) =>
      /^[\r;]/.test(rest) && !/\d$/.test(sound)
        ? "An empty size was accepted."
        : "A character that is no hexadecimal digit was accepted in a size line.",
    ),
    lookAt: lookAtSize,
    hint: 3,
  });
});

test("a size of more than thirteen digits is refused", async () => {
  const bodies = [
    faulty("2000000000000", "1\r\nhello\r\n0\r\n\r\n"),
    faulty("0000000000000", "5\r\nhello\r\n0\r\n\r\n"),
    faulty("5\r\nhello\r\n0000000000000", "0\r\n\r\n"),
  ];
  await checkRefused(bodies, {
    likely: accepted(
      () =>
        "Fourteen digits were accepted: such a size can become another number, and zeros could go on for ever.",
    ),
    lookAt: lookAtSize,
    hint: 3,
  });
});

test("a size line that does not end with CR LF is refused", async () => {
  const bodies = [
    faulty("5", "\nhello\r\n0\r\n\r\n"),
    faulty("5\r", "hello\r\n0\r\n\r\n"),
    faulty("5\r", "\r\nhello\r\n0\r\n\r\n"),
    faulty("5", ";x\nhello\r\n0\r\n\r\n"),
    faulty("5\r", ";x\rhello\r\n0\r\n\r\n"),
    faulty("0", "\n\r\n"),
    faulty("0\r", "X\r\n"),
  ];
  await checkRefused(bodies, {
    likely: accepted(({ sound }) =>
      sound.endsWith("\r")
        ? "A CR passed for a line end without its LF."
        : "An LF passed for a line end without its CR.",
    ),
    lookAt: lookAtSize,
    hint: 3,
  });
});

test("data that is not followed by CR LF is refused", async () => {
  const bodies = [
    faulty("5\r\nhello", "XX0\r\n\r\n"),
    faulty("5\r\nhello", "\n0\r\n\r\n"),
    faulty("5\r\nhello\r", "X0\r\n\r\n"),
    faulty("5\r\nhello", "X\n0\r\n\r\n"),
    faulty("5\r\nhello", "0\r\n\r\n"),
    faulty("5\r\nhello", "!\r\n0\r\n\r\n"),
  ];
  await checkRefused(bodies, {
    likely: accepted(({ sound, rest }) => {
      if (sound.endsWith("\r")) return "The byte behind the CR was not looked at.";
      return rest.startsWith("\n")
        ? "An LF passed for a line end without its CR."
        : "The bytes behind the data were not looked at.";
    }),
    lookAt: "chunked-reader.ts, the end of the data",
    hint: 3,
  });
});

test("the last chunk must be followed by an empty line", async () => {
  const bodies = [
    faulty("0\r\n", "GET / HTTP/1.1\r\n"),
    faulty("0\r\n", "\n"),
    faulty("0\r\n\r", "X\r\n"),
    faulty("5\r\nhello\r\n0\r\n", "5\r\nhello\r\n0\r\n\r\n"),
  ];
  const words = {
    likely: ({ sound, rest }: Faulty, { end }: Forwarded) => {
      if (sound.endsWith("\r")) return "The byte behind the CR was not looked at.";
      if (end === "more to come") return "What follows the last chunk was taken for more of the body.";
      return rest === "\n" && end === "done"
        ? "An LF passed for a line end without its CR."
        : "The body counts as done at the size 0. The empty line belongs to it.";
    },
    lookAt: "chunked-reader.ts, the last chunk",
    hint: 2,
  };
  await checkRefused(bodies, words);
  await check({
    ...words,
    sent: `${printable("0\r\n")} with nothing behind it`,
    expected: "more to come",
    got: () => readAll(["0\r\n"]).end,
    likely: shows((end) =>
      end === "done" ? "The body counts as done at the size 0. The empty line belongs to it." : ofEnd(end),
    ),
  });
});
