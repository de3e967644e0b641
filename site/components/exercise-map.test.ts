// The map of the exercises: every one says what it teaches, and marks come from what the reader's browser keeps.

import { expect, test } from "vitest";
import { exerciseIdeas } from "./exercise-ideas.ts";
import exercises from "./exercises.data.ts";
import { progressIn } from "./kept-progress.ts";

test("every exercise says what it teaches, and nothing else does", () => {
  const ids = exercises.load().map(({ id }) => id);
  expect(Object.keys(exerciseIdeas).sort()).toEqual([...ids].sort());
});

test("an exercise is done once it has passed, and begun before that", () => {
  const kept = { version: 1, exercises: { a: { files: {}, passedAt: "2026-01-01" }, b: { files: {} } } };
  expect([...progressIn(JSON.stringify(kept))]).toEqual([
    ["a", "done"],
    ["b", "begun"],
  ]);
});

test.each([null, "", "{", "[]", "3", '{"version":2,"exercises":{"a":{}}}', '{"version":1,"exercises":null}'])(
  "what cannot be read counts as nothing: %s",
  (text) => {
    expect(progressIn(text).size).toBe(0);
  },
);
