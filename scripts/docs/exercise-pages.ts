// The text of each exercise's page, from the files that the terminal shows: the README, the hints, the solution with its why.
// Hints and solution are folded and stand in the page, so they can be read without JavaScript.

import { slugOf } from "../../site/exercise/bundle.ts";
import type { PageParameters } from "../../site/exercise/page-parameters.ts";
import { type Exercise, listExerciseIds, loadExercise } from "../exercise/exercise-spec.ts";
import { hintsOf, readmeOf, whyOf } from "../exercise/lesson-text.ts";
import { answerFiles, gatherExercise } from "./exercise-bundle.ts";

export interface ExercisePage {
  readonly params: PageParameters;
  readonly content: string;
}

export function exercisePages(root: string): ExercisePage[] {
  const exercises = listExerciseIds(root).map((id) => loadExercise(root, id));
  return exercises.map((exercise, index) => {
    const { spec } = exercise;
    const gathered = gatherExercise(exercise);
    const next = exercises[index + 1]?.spec;
    return {
      params: {
        id: slugOf(spec.id),
        exercise: spec.id,
        files: spec.files,
        because: gathered.runs ? "" : gathered.because,
        nextId: next === undefined ? "" : slugOf(next.id),
        nextTitle: next?.title ?? "",
      },
      content: contentOf(exercise),
    };
  });
}

function contentOf(exercise: Exercise): string {
  const { id, title, minutes, milestone, siteAnchor } = exercise.spec;
  const sections = readmeOf(exercise).map(({ heading, body }) => `## ${heading}\n\n${body}`);
  return [
    `# ${title}`,
    `Exercise \`${id}\`, about ${minutes} minutes. It belongs to [milestone ${milestone}](/${siteAnchor}).`,
    ...sections,
    "## Your code",
    '<ExerciseWorkspace :exercise="$params" />',
    "## Hints",
    "The first says where to look, the last is nearly the code.",
    ...hintsOf(exercise).map(({ question, body }, index) =>
      folded("hint", `${index + 1}. ${inlineHtml(question)}`, body),
    ),
    "## The solution",
    folded(
      "solution",
      "Show the solution and why it is so?",
      folded("solution-shown", "Yes, show it", solutionText(exercise)),
    ),
  ].join("\n\n");
}

function solutionText(exercise: Exercise): string {
  const code = Object.entries(answerFiles(exercise, { kind: "solution" })).map(
    ([name, text]) => `\`${name}\`:\n\n\`\`\`ts\n${text.trimEnd()}\n\`\`\``,
  );
  const why = whyOf(exercise).replace(/^# .*\n/, "### Why it is so\n");
  return [...code, why].join("\n\n");
}

function folded(kind: string, summary: string, body: string): string {
  return `<details class="${kind}">\n<summary>${summary}</summary>\n\n${body}\n\n</details>`;
}

/** A line of Markdown with nothing but code in it: inside HTML, Markdown is not read. */
function inlineHtml(text: string): string {
  const escaped = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return escaped.replace(/`([^`]+)`/g, "<code v-pre>$1</code>").replace(/_([^_]+)_/g, "<em>$1</em>");
}
