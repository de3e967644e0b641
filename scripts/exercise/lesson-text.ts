// Reads what an exercise says in prose: the sections of its README and the hints, which are questions in order.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Exercise } from "./exercise-spec.ts";

/** The sections that every README has, in this order. */
export const readmeSections = ["The outage behind it", "The task", "Done when", "Which file"] as const;

export interface Section {
  readonly heading: string;
  readonly body: string;
}

export interface Hint {
  readonly question: string;
  readonly body: string;
}

/** The `##` sections of a Markdown text, in order; what stands before the first is dropped. */
export function sectionsOf(markdown: string): Section[] {
  return markdown
    .replace(/\r\n/g, "\n")
    .split(/^## +/m)
    .slice(1)
    .map((part) => {
      const end = part.indexOf("\n");
      return end === -1
        ? { heading: part.trim(), body: "" }
        : { heading: part.slice(0, end).trim(), body: part.slice(end + 1).trim() };
    });
}

export function readmeOf(exercise: Exercise): Section[] {
  return sectionsOf(readIfThere(join(exercise.folder, "README.md")));
}

/** The bullets of "Done when", each as one line and without the `;` or `.` at its end. */
export function doneWhenOf(exercise: Exercise): string[] {
  const body = readmeOf(exercise).find((section) => section.heading === "Done when")?.body ?? "";
  return body.split(/^- /m).slice(1).map(bulletText);
}

/** A bullet however it is wrapped and whatever stands at its end. */
export function bulletText(bullet: string): string {
  return bullet
    .replace(/\s+/g, " ")
    .trim()
    .replace(/[;.,]$/, "");
}

/** The hints: `## 1. Where does …?` and the text below it. */
export function hintsOf(exercise: Exercise): Hint[] {
  return sectionsOf(readIfThere(join(exercise.folder, "hints.md"))).map(({ heading, body }) => ({
    question: heading.replace(/^[0-9]+\. */, ""),
    body,
  }));
}

export function whyOf(exercise: Exercise): string {
  return readIfThere(join(exercise.solution, "WHY.md")).trim();
}

function readIfThere(file: string): string {
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}
