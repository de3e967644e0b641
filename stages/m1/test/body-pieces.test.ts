import { expect, test } from "vitest";
import { BodyPieces } from "../src/body-pieces.ts";

function recorded() {
  const writes: string[] = [];
  const pieces = new BodyPieces((bytes) => writes.push(bytes.toString("latin1")));
  return {
    writes,
    add: (text: string) => pieces.add(Buffer.from(text, "latin1")),
    flush: () => pieces.flush(),
  };
}

test("pieces of one turn are one write, in order", async () => {
  const { writes, add } = recorded();
  for (const letter of "abc") add(letter);
  expect(writes).toEqual([]);
  await Promise.resolve();
  expect(writes).toEqual(["abc"]);
  add("d");
  await Promise.resolve();
  expect(writes).toEqual(["abc", "d"]);
});

test("a flush writes at once, and nothing twice", async () => {
  const { writes, add, flush } = recorded();
  add("a");
  flush();
  flush();
  add("b");
  expect(writes).toEqual(["a"]);
  await Promise.resolve();
  expect(writes).toEqual(["a", "b"]);
});

test("a piece that comes during a write is not lost", async () => {
  const writes: string[] = [];
  const pieces = new BodyPieces((bytes) => {
    writes.push(bytes.toString("latin1"));
    if (writes.length === 1) pieces.add(Buffer.from("b"));
  });
  pieces.add(Buffer.from("a"));
  pieces.flush();
  await Promise.resolve();
  expect(writes).toEqual(["a", "b"]);
});
