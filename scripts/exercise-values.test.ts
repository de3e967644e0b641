// A misconception is offered when its wrong answer shows the learner's values: which values count as the same.

import { expect, test } from "vitest";
import { visibleValues } from "./exercise/verdict.ts";

/** What counts of one failing test that got this for what it sent. */
const shown = (got: string, sent = "a call") =>
  visibleValues([
    {
      path: "a.test.ts",
      errors: [],
      tests: [
        { title: "fails", state: "failed", errors: [{ message: "", stack: "", detail: { sent, got } }] },
      ],
    },
  ] as unknown as Parameters<typeof visibleValues>[0]).get("fails");

test("two runs of one answer show the same values, wherever their folders and ports are", () => {
  const run = (folder: string, port: number, id: string) =>
    shown(`ENOENT: 'cell-routing-lkg-${folder}/routing.json'; ECONNREFUSED 127.0.0.1:${port}; ${id}`);
  expect(run("Hw1ms2", 40_123, "0b6e8d5e-1f2a-4c3b-9d4e-5f6a7b8c9d0e")).toBe(
    run("tStGnG", 9_004, "6c84fb90-12c4-11e1-840d-7b25c5ee775a"),
  );
});

test("numbers of four digits and more tell two answers apart", () => {
  expect(shown("[ 2000, 2000, 2000, 2000 ]")).not.toBe(shown("[ 2000, 4000, 8000, 8000 ]"));
  expect(shown("4096 KiB taken")).not.toBe(shown("2048 KiB taken"));
});

test("the same value for another input is another value", () => {
  expect(shown("[]", "two fields")).not.toBe(shown("[]", "one field"));
});
