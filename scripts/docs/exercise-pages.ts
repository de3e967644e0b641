// The text of each exercise's page, from the files that the terminal shows: the README, the hints, the solution with its why.
// The order is that of doing it: the story, the outage itself, the task, the code, hints, the outage again with the learner's code,
// the solution to compare with, and what comes next. Hints and solution are folded and stand in the page, so they can be read without JavaScript.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { slugOf, starterPath } from "../../site/exercise/bundle.ts";
import { resolvePath } from "../../site/exercise/linker.ts";
import type { PageParameters } from "../../site/exercise/page-parameters.ts";
import { sceneOf } from "../../site/exercise/scenes.ts";
import { type Exercise, listExerciseIds, loadExercise } from "../exercise/exercise-spec.ts";
import { hintsOf, readmeOf, whyOf } from "../exercise/lesson-text.ts";
import { readSource } from "../source-imports.ts";
import { answerFiles, type Gathered, gatherExercise } from "./exercise-bundle.ts";

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
      },
      content: contentOf(exercise, gathered, next),
    };
  });
}

function contentOf(
  exercise: Exercise,
  gathered: Gathered,
  next: { readonly id: string; readonly title: string } | undefined,
): string {
  const { id, title, minutes, milestone, siteAnchor } = exercise.spec;
  const [story = "", ...task] = readmeOf(exercise).map(({ heading, body }) => `## ${heading}\n\n${body}`);
  const hasScene = gathered.runs && sceneOf(id) !== undefined;
  const onward =
    next === undefined
      ? "That was the last exercise. All of them, and how far you are: [exercises](/exercises)."
      : `Next exercise: [${next.title}](/exercise/${slugOf(next.id)}). All of them, and how far you are: [exercises](/exercises).`;
  return [
    `# ${title}`,
    `Exercise \`${id}\`, about ${minutes} minutes. It belongs to [milestone ${milestone}](/${siteAnchor}).`,
    ...(hasScene
      ? [
          '<div class="exercise-outage">\n<div>',
          story,
          '</div>\n<ExerciseScene :exercise="$params" part="first" />\n</div>',
        ]
      : [story]),
    ...task,
    "## Your code",
    ...(gathered.runs
      ? ['<ExerciseWorkspace :exercise="$params" />', ...givenFiles(exercise)]
      : inTheTerminal(id, gathered.because)),
    "## Hints",
    "The first says where to look, the last is nearly the code.",
    ...hintsOf(exercise).map(({ question, body }, index) =>
      folded("hint", `${index + 1}. ${inlineHtml(question)}`, body),
    ),
    ...(hasScene
      ? ["## Your code in the same outage", '<ExerciseScene :exercise="$params" part="again" />']
      : []),
    "## The solution",
    folded(
      "solution",
      "Show the solution and why it is so?",
      folded("solution-shown", "Yes, show it", solutionText(exercise)),
    ),
    "## What comes next, and what is kept",
    onward,
    '<KeptWork :exercise="$params" />',
  ].join("\n\n");
}

/** What the learner's files import of the stage: whoever works in the page has no folder to look into. */
function givenFiles(exercise: Exercise): string[] {
  const { id } = exercise.spec;
  const imported = Object.entries(answerFiles(exercise, { kind: "starter" })).flatMap(([name, text]) =>
    readSource(text)
      .imports.filter(({ specifier }) => specifier.startsWith("."))
      .map(({ specifier }) => resolvePath(starterPath(id, name), specifier)),
  );
  const paths = [...new Set(imported)].filter((path) => path.startsWith("stages/")).sort();
  return paths.map((path) => {
    const text = readFileSync(join(exercise.root, path), "utf8").replaceAll(
      /^ *\/\/ #(?:end)?region.*\n/gm,
      "",
    );
    const summary = `<code>${path}</code>, which your code imports`;
    return folded("given", summary, `\`\`\`ts\n${text.trimEnd()}\n\`\`\``);
  });
}

function inTheTerminal(id: string, because: string): string[] {
  return [
    `${because}, which doesn't run in a page. So this exercise runs in your terminal, in a [clone of the repository](/set-up):`,
    `\`\`\`sh\nnpm run exercise ${id}\n\`\`\``,
    "It copies the starter to `workspace/` for your own editor, runs the tests whenever you save, and shows the first one that fails. Press `h` for a hint, `d` to compare with the solution, `q` to stop.",
  ];
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
