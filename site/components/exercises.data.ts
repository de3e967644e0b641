// The exercises as they stand in the tree, for the pages.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { filesUnder } from "../../scripts/stages.ts";
import { exerciseIdeas } from "./exercise-ideas.ts";

export interface Exercise {
  readonly id: string;
  readonly title: string;
  readonly milestone: string;
  readonly minutes: number;
  readonly files: readonly string[];
  /** The first sentences of the story behind it. */
  readonly task: string;
  /** What it teaches. */
  readonly idea: string;
  /** The id as an anchor or an address has it. */
  readonly slug: string;
  /** Address of its own page, where the site has such pages. */
  readonly page: string | null;
}

const pages = fileURLToPath(new URL("../exercise/[id].paths.ts", import.meta.url));
const folder = fileURLToPath(new URL("../../exercises", import.meta.url));

declare const data: readonly Exercise[];

export { data };

export default {
  watch: ["../../exercises/*/*/exercise.json"],
  load(): readonly Exercise[] {
    return filesUnder(folder)
      .filter((file) => /^m\d\/[^/]+\/exercise\.json$/.test(file))
      .map((file) => readExercise(join(folder, file)));
  },
};

function readExercise(file: string): Exercise {
  const { id, title, milestone, minutes, files } = JSON.parse(readFileSync(file, "utf8")) as Exercise;
  const readmeFile = join(file, "..", "README.md");
  const readme = existsSync(readmeFile) ? readFileSync(readmeFile, "utf8") : "";
  const slug = id.replace("/", "-");
  const task = beginning(firstParagraph(readme));
  const page = existsSync(pages) ? `/exercise/${slug}` : null;
  return { id, title, milestone, minutes, files, task, idea: exerciseIdeas[id] ?? "", slug, page };
}

function firstParagraph(markdown: string): string {
  const paragraph = markdown
    .split(/\n\s*\n/)
    .find((text) => !/^(#|```|\||[-*] |<)/.test(text.trim()) && text.trim() !== "");
  return (paragraph ?? "").replaceAll(/\s+/g, " ").replaceAll("**", "").trim();
}

/** As many whole sentences as a card holds. */
function beginning(text: string): string {
  let taken = "";
  for (const sentence of text.split(/(?<=[.!?])\s+/)) {
    if (taken !== "" && taken.length + sentence.length > 290) break;
    taken += `${sentence} `;
  }
  return taken.trim();
}
