// Prose in a narrow terminal, tried on the texts of all exercises.

import { expect, test } from "vitest";
import { listExerciseIds, loadExercise } from "./exercise/exercise-spec.ts";
import { hintsOf, readmeOf, whyOf } from "./exercise/lesson-text.ts";
import { reflow } from "./exercise/reflow.ts";
import { projectRoot } from "./stages.ts";

const texts = listExerciseIds(projectRoot).flatMap((id) => {
  const exercise = loadExercise(projectRoot, id);
  return [...readmeOf(exercise), ...hintsOf(exercise)].map(({ body }) => body).concat(whyOf(exercise));
});

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

test("keeps every word of every lesson, and no line goes beyond the terminal", () => {
  expect(texts.length).toBeGreaterThan(100);
  for (const text of texts) {
    const fitted = reflow(text, 80);
    expect(words(fitted)).toEqual(words(text));
    const isProse = !/^(?: {4}|\||```)/m.test(text);
    if (isProse) for (const line of fitted.split("\n")) expect(line.length).toBeLessThan(80);
  }
});

test("joins the lines of a paragraph, and keeps items, headings and blocks apart", () => {
  const text = [
    "# Why",
    "",
    "one",
    "two",
    "",
    "- first",
    "  goes on",
    "- second",
    "",
    "```ts",
    "a",
    "b",
    "```",
    "",
    "| x |",
    "| y |",
  ].join("\n");
  expect(reflow(text, 80)).toBe(
    text.replace("one\ntwo", "one two").replace("- first\n  goes on", "- first goes on"),
  );
});

test("indents what goes on behind an item's mark", () => {
  expect(reflow("- one two three four five six", 21)).toBe("- one two three\n  four five six");
});

test("goes on after a word that is wider than the terminal", () => {
  expect(reflow("a-name-that-is-wider-than-this and then four words", 21)).toBe(
    "a-name-that-is-wider-than-this\nand then four words",
  );
});

test("leaves a text for a pipe, or for a terminal of unknown width, as it is", () => {
  expect(reflow("one\ntwo", undefined)).toBe("one\ntwo");
  expect(reflow("one\ntwo", 0)).toBe("one\ntwo");
});
