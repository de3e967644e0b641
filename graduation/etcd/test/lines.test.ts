// Lines out of a stream that comes in any pieces.

import { expect, test } from "vitest";
import { linesOf } from "../lines.ts";

async function* pieces(text: string, size: number): AsyncGenerator<string> {
  for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size);
}

async function all(lines: AsyncIterable<string>): Promise<string[]> {
  const found: string[] = [];
  for await (const line of lines) found.push(line);
  return found;
}

test.each([1, 2, 3, 100])("lines come whole out of pieces of %i characters, empty ones too", async (size) => {
  expect(await all(linesOf(pieces("one\n\nthree\nrest", size), 10))).toEqual(["one", "", "three"]);
});

test("a line that is too long is an error before its end has come", async () => {
  await expect(all(linesOf(pieces("x".repeat(11), 1), 10))).rejects.toThrow("too long");
});

test("a long line in small pieces costs no more than its length", { timeout: 5_000 }, async () => {
  const text = `${"x".repeat(2_000_000)}\n`;
  expect((await all(linesOf(pieces(text, 50), 3_000_000)))[0]).toHaveLength(2_000_000);
});
