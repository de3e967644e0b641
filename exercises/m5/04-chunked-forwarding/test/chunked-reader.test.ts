import { test } from "vitest";
import { check, printable } from "../../../support/check.ts";
import { ChunkedReader } from "../starter/chunked-reader.ts";

const lookAt = "chunked-reader.ts, read";

interface Outcome {
  readonly passed: string;
  readonly end: string;
}

/** Reads each piece as a read of its own, and stops where a router would. `passed`: what was sent on. */
function readAll(pieces: readonly string[]): Outcome {
  const reader = new ChunkedReader();
  let passed = "";
  for (const piece of pieces) {
    // In the middle of a larger buffer, as in the socket's: only `[from, to)` may be looked at.
    const bytes = Buffer.from(`~~${piece}~~`, "latin1");
    const to = bytes.length - 2;
    const next = reader.read(bytes, 2, to, (source, from, until) => {
      passed += source.toString("latin1", from, until);
    });
    if (reader.refusal !== undefined) return { passed: printable(passed), end: "refused" };
    if (reader.done) {
      const left = bytes.toString("latin1", next, to);
      return { passed: printable(passed), end: left === "" ? "done" : `done, left: ${printable(left)}` };
    }
  }
  return { passed: printable(passed), end: "more to come" };
}

const wire = "5\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n";

test("a chunked body that comes whole passes as it came", async () => {
  await check({
    sent: printable(wire),
    expected: { passed: printable(wire), end: "done" },
    got: () => readAll([wire]),
    likely:
      "The body is passed on with its size lines: the receiver must see the same chunks. Sizes are hexadecimal.",
    lookAt,
  });
});

test("data is sent on as it comes, before its chunk is whole", async () => {
  await check({
    sent: `${printable("a\r\n01234")} and no more for now`,
    expected: { passed: printable("a\r\n01234"), end: "more to come" },
    got: () => readAll(["a\r\n01234"]),
    likely: "The chunk is collected before it is sent on. A chunk may be a gigabyte, and may take an hour.",
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
    likely:
      "Something that belongs to one read decides. What has come so far must be a state that outlives the read.",
    lookAt,
    hint: 1,
  });
});

const disguised = "5\r\n0\r\n\r\n\r\n0\r\n\r\n";
test("data that looks like the last chunk is data", async () => {
  await check({
    sent: `${printable("5\r\n0\r\n\r\n")}, then ${printable("\r\n0\r\n\r\n")}: a chunk of 5 bytes, and the last chunk`,
    expected: { passed: printable(disguised), end: "done" },
    got: () => readAll(["5\r\n0\r\n\r\n", "\r\n0\r\n\r\n"]),
    likely: "The end is searched for in the bytes. Only the sizes say which bytes are data.",
    lookAt,
    hint: 1,
  });
});

test("what follows the body is left for the next message", async () => {
  await check({
    sent: printable(`${wire}GET /next`),
    expected: { passed: printable(wire), end: `done, left: ${printable("GET /next")}` },
    got: () => readAll([`${wire}GET /next`]),
    likely: "The next request is sent on as part of this body.",
    lookAt,
    hint: 2,
  });
});

test("chunk extensions are left out, however they are cut", async () => {
  const extended = "5;name=value\r\nhello\r\n0;last\r\n\r\n";
  const plain = { passed: printable("5\r\nhello\r\n0\r\n\r\n"), end: "done" };
  await check({
    sent: `${printable(extended)}: whole, then byte by byte`,
    expected: [plain, plain],
    got: () => [readAll([extended]), readAll([...extended])],
    likely:
      "The extension is sent on, or the line's end goes with it. A run of bytes ends at the `;` and begins again at the CR.",
    lookAt,
    hint: 3,
  });
});

test("a size that is no hexadecimal number is refused", async () => {
  const sizes = ["", "-5", "0x5", "5 ", " 5", "g"];
  const refused = Object.fromEntries(sizes.map((size) => [printable(size), "refused"]));
  await check({
    sent: "six bodies whose first size is: nothing, -5, 0x5, 5 and a space, a space and 5, g",
    expected: refused,
    got: () =>
      Object.fromEntries(
        sizes.map((size) => [printable(size), readAll([`${size}\r\nhello\r\n0\r\n\r\n`]).end]),
      ),
    likely: "Another reader may take the same line for another number, or for none.",
    lookAt: "chunked-reader.ts, the size line",
    hint: 3,
  });
});

test("a size of more than thirteen digits is refused", async () => {
  await check({
    sent: "two bodies: size 20000000000001 (2^53 + 1), and size 00000000000005",
    expected: ["refused", "refused"],
    got: () =>
      ["20000000000001", "00000000000005"].map((size) => readAll([`${size}\r\nhello\r\n0\r\n\r\n`]).end),
    likely:
      "The number that is counted down is not the one that was sent, or the line may go on without end.",
    lookAt: "chunked-reader.ts, the size line",
    hint: 3,
  });
});

test("a size line that does not end with CR LF is refused", async () => {
  await check({
    sent: `${printable("5\nhello")}, ${printable("5\rhello")} and ${printable("5;x\nhello")}`,
    expected: ["refused", "refused", "refused"],
    got: () => ["5\nhello", "5\rhello", "5;x\nhello"].map((body) => readAll([`${body}\r\n0\r\n\r\n`]).end),
    likely: "A bare LF or a bare CR passes for a line end. Not every reader agrees.",
    lookAt: "chunked-reader.ts, the size line",
    hint: 3,
  });
});

test("data that is not followed by CR LF is refused", async () => {
  await check({
    sent: `${printable("5\r\nhelloXX0\r\n\r\n")} and ${printable("5\r\nhello\n0\r\n\r\n")}`,
    expected: ["refused", "refused"],
    got: () => ["5\r\nhelloXX0\r\n\r\n", "5\r\nhello\n0\r\n\r\n"].map((body) => readAll([body]).end),
    likely:
      "Two bytes are skipped unseen behind the data. They show whether sender and receiver agree on the size.",
    lookAt: "chunked-reader.ts, the end of the data",
    hint: 3,
  });
});

test("the last chunk must be followed by an empty line", async () => {
  await check({
    sent: `${printable("0\r\nGET / HTTP/1.1\r\n")}, and ${printable("0\r\n")} with nothing behind it`,
    expected: ["refused", "more to come"],
    got: () => ["0\r\nGET / HTTP/1.1\r\n", "0\r\n"].map((body) => readAll([body]).end),
    likely:
      "The body is taken for done at the size 0. Its empty line is then the beginning of the next message.",
    lookAt: "chunked-reader.ts, the last chunk",
    hint: 2,
  });
});
