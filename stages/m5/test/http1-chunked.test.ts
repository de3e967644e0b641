import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ChunkedOutput, ChunkedReader, type ChunkedSink } from "../src/http1/chunked-reader.ts";
import type { FieldSection } from "../src/http1/field-section.ts";
import { passedTrailers } from "../src/http1/head-writer.ts";
import { byteByByte, splitAt } from "./http1-messages.ts";

const noOptions = { close: false, keepAlive: false, nominated: ["x-hop"] };

class Collected implements ChunkedSink {
  text = "";

  bodyBytes(bytes: Buffer, from: number, to: number): void {
    this.text += bytes.toString("latin1", from, to);
  }

  bodyText(latin1: string): void {
    this.text += latin1;
  }

  trailers(section: FieldSection): string {
    return passedTrailers(section, noOptions);
  }
}

/** What is sent on, and how many bytes belonged to the body. */
function pass(output: ChunkedOutput, pieces: readonly Buffer[]) {
  const reader = new ChunkedReader();
  const sink = new Collected();
  reader.reset(output);
  let taken = 0;
  for (const piece of pieces) {
    const next = reader.read(piece, 0, piece.length, sink);
    taken += next;
    if (reader.done || reader.refusal !== undefined) break;
    expect(next).toBe(piece.length);
  }
  return { text: sink.text, taken, done: reader.done, refusal: reader.refusal, dataBytes: reader.dataBytes };
}

describe("a chunked body on its way through", () => {
  const cases: readonly [title: string, came: string, wire: string, data: string][] = [
    [
      "passes as it came",
      "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
      "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
      "abc0123456789",
    ],
    ["keeps leading zeros of a size", "0003\r\nabc\r\n000\r\n\r\n", "0003\r\nabc\r\n000\r\n\r\n", "abc"],
    [
      "loses its extensions",
      '3;a=b\r\nabc\r\n1;c="\t;\\"";d\r\nd\r\n0;e\r\n\r\n',
      "3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n",
      "abcd",
    ],
    [
      "keeps its trailers",
      "1\r\na\r\n0\r\nX-Sum: 1\r\nB:2\r\n\r\n",
      "1\r\na\r\n0\r\nX-Sum: 1\r\nB:2\r\n\r\n",
      "a",
    ],
    [
      "loses trailers that frame, route or describe a hop",
      "0\r\nContent-Length: 5\r\nConnection: close\r\nA: 1\r\nX-Routed-To: x\r\nTransfer-Encoding: x\r\nTrailer: x\r\nHost: x\r\nX-Hop: 1\r\n\r\n",
      "0\r\nA: 1\r\n\r\n",
      "",
    ],
    ["keeps no trailer section when nothing is left of it", "0\r\nVia: x\r\n\r\n", "0\r\n\r\n", ""],
  ];
  test.each(cases)("%s", (_, came, wire, data) => {
    const bytes = Buffer.from(`${came}NEXT`, "latin1");
    const dataBytes = data.length;
    for (const pieces of [[bytes], byteByByte(bytes)]) {
      expect(pass("wire", pieces)).toEqual({
        text: wire,
        taken: came.length,
        done: true,
        refusal: undefined,
        dataBytes,
      });
      expect(pass("data", pieces)).toEqual({
        text: data,
        taken: came.length,
        done: true,
        refusal: undefined,
        dataBytes,
      });
    }
  });
});

test("nothing of what follows a fault is passed on", () => {
  const { text, refusal } = pass("wire", [Buffer.from("3\r\nabcX\r\n0\r\n\r\n", "latin1")]);
  expect(refusal).toBeDefined();
  expect("3\r\nabc".startsWith(text)).toBe(true);
});

test("what passes in any pieces reads as the same content", () => {
  const chunk = fc.record({
    data: fc.uint8Array({ minLength: 1, maxLength: 300 }),
    extension: fc.constantFrom("", ";a", ";a=b;c"),
  });
  const property = fc.property(
    fc.array(chunk, { maxLength: 6 }),
    fc.array(fc.nat(), { maxLength: 10 }),
    (chunks, cuts) => {
      const parts = chunks.flatMap(({ data, extension }) => [
        Buffer.from(`${data.length.toString(16)}${extension}\r\n`),
        Buffer.from(data),
        Buffer.from("\r\n"),
      ]);
      const bytes = Buffer.concat([...parts, Buffer.from("0\r\n\r\n")]);
      const content = Buffer.concat(chunks.map(({ data }) => Buffer.from(data))).toString("latin1");
      const wire = pass(
        "wire",
        splitAt(bytes, cuts).filter((piece) => piece.length > 0),
      );
      expect(wire).toMatchObject({ done: true, taken: bytes.length, dataBytes: content.length });
      expect(wire.text).not.toContain(";a\r\n");
      // Read again by itself, and in data output from the start.
      expect(pass("data", [Buffer.from(wire.text, "latin1")]).text).toBe(content);
      expect(
        pass(
          "data",
          splitAt(bytes, cuts).filter((piece) => piece.length > 0),
        ).text,
      ).toBe(content);
    },
  );
  fc.assert(property, { numRuns: 1_000 });
});
