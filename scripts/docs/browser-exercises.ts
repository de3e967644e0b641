// Every exercise that runs in the page, proven there: the starter is red, the solution and every right answer green, and of
// every wrong answer the page says word for word what Node says. Answers come in the way a learner's own do: from a file.

import type { Browser, Page } from "playwright-core";
import { type AnswerFiles, slugOf } from "../../site/exercise/bundle.ts";
import { PageCheck } from "../../site/exercise/page-check.ts";
import { scenarioFor } from "../../site/exercise/scene-spec.ts";
import { sceneOf } from "../../site/exercise/scenes.ts";
import { type Answer, answerName, variantsOf } from "../exercise/answer-source.ts";
import { type Exercise, listExerciseIds, loadExercise } from "../exercise/exercise-spec.ts";
import { saysTheSame } from "../exercise/untouched.ts";
import type { Verdict } from "../exercise/verdict.ts";
import { verdictWords } from "../exercise/verdict-words.ts";
import { type Outcome, patientMs, watch } from "./browser-pages.ts";
import { answerFiles, gatherAnswers, gatherExercise } from "./exercise-bundle.ts";
import { sceneEndings } from "./exercise-scenes.ts";
import { NodeWorker } from "./node-worker.ts";

const lanes = 2;
/** Right and wrong answers of each exercise when not all are proven. */
const fewAnswers = 3;

/** What can be read in the page. */
interface Shown {
  readonly kind: string;
  readonly failing: readonly string[];
  readonly words: string;
}

/**
 * @param everyAnswer Otherwise the starter, the solution, and a few others of each exercise.
 * @param prefixes Only the exercises whose ids begin with one of these: `m1`, `m4/03`.
 */
export async function checkExercises(
  browser: Browser,
  url: string,
  root: string,
  everyAnswer: boolean,
  prefixes: readonly string[] = [""],
): Promise<Outcome> {
  const ids = listExerciseIds(root).filter((id) => prefixes.some((prefix) => id.startsWith(prefix)));
  const exercises = ids.map((id) => loadExercise(root, id));
  const running = exercises.filter((exercise) => gatherExercise(exercise).runs);
  const waiting = [...running];
  const faults: string[] = [];
  let answers = 0;
  const lane = async () => {
    await using context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    const page = await context.newPage();
    page.setDefaultTimeout(patientMs);
    let exercise: Exercise | undefined;
    watch(page, url, (words) => faults.push(`${exercise?.spec.id}: ${words}`));
    for (exercise = waiting.shift(); exercise !== undefined; exercise = waiting.shift()) {
      const { id } = exercise.spec;
      try {
        await page.goto(`${url}/exercise/${slugOf(id)}`);
        const found = await proveInPage(page, exercise, everyAnswer ? Number.POSITIVE_INFINITY : fewAnswers);
        answers += found.answers;
        faults.push(...found.faults);
      } catch (error) {
        faults.push(`${id}: ${error instanceof Error ? error.message.split("\n")[0] : error}`);
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return {
    looked: `${running.length} of ${exercises.length} exercises in the page, ${answers} answers`,
    faults,
  };
}

async function proveInPage(
  page: Page,
  exercise: Exercise,
  most: number,
): Promise<{ answers: number; faults: string[] }> {
  const { spec } = exercise;
  const gathered = gatherExercise(exercise);
  if (!gathered.runs) throw new Error(gathered.because);
  const inNode = new PageCheck(gathered.bundle, async () => gatherAnswers(exercise), NodeWorker.make);
  const answers: Answer[] = [
    { kind: "starter" },
    { kind: "solution" },
    ...spread(variantsOf(exercise), most),
  ];
  const faults: string[] = [];
  for (const [index, answer] of answers.entries()) {
    const files = answerFiles(exercise, answer);
    const where = `${spec.id}, ${answerName(answer)}`;
    // The starter is there when the page opens.
    if (index > 0) await loadFile(page, spec.id, files);
    const shown = await shownAfter(page, index + 1);
    const wanted = failuresOf(spec, answer);
    if ([...wanted].sort().join() !== [...shown.failing].sort().join())
      faults.push(`${where}: fails "${shown.failing.join(" ")}", not "${wanted.join(" ")}" (${shown.kind})`);
    const inWords = messageOf(await inNode.check(files));
    if (shown.words !== inWords) faults.push(`${where}: says\n${shown.words}\nand in Node\n${inWords}`);
    if (answer.kind === "starter" || answer.kind === "solution")
      faults.push(...(await sceneFaults(page, exercise, answer.kind)));
    if (!isNamed(exercise, answer, files, shown)) faults.push(`${where}: its misconception is not named`);
  }
  return { answers: answers.length, faults };
}

/** The scene ends in the page as it ends in Node. */
async function sceneFaults(page: Page, exercise: Exercise, kind: "starter" | "solution"): Promise<string[]> {
  const scene = sceneOf(exercise.spec.id);
  if (scene === undefined) return [];
  const scenario = scenarioFor(scene, failuresOf(exercise.spec, { kind }));
  const [ending] = await sceneEndings(exercise, { kind }, [scenario]);
  const shown = page.locator(".scene-ending", { hasText: `Your code: ${ending}.` });
  const isThere = await shown.waitFor().then(
    () => true,
    () => false,
  );
  return isThere
    ? []
    : [`${exercise.spec.id}: its scene does not end with the ${kind} as in Node: ${ending}`];
}

/** A misconception that the starter has already is nobody's of their own, and is not named. */
function isNamed(exercise: Exercise, answer: Answer, files: AnswerFiles, shown: Shown): boolean {
  if (answer.kind !== "wrong") return true;
  const { replaces, because } = answer.wrong;
  const given = answerFiles(exercise, { kind: "starter" })[replaces] ?? "";
  return saysTheSame(files[replaces] ?? "", given) || shown.words.includes(plain(because));
}

function failuresOf(spec: Exercise["spec"], answer: Answer): readonly string[] {
  if (answer.kind === "wrong") return answer.wrong.fails;
  if (answer.kind !== "starter") return [];
  return spec.tests.filter(({ kind }) => kind === "red").map(({ id }) => id);
}

/** As many as `most`, from the whole of `list`. */
function spread<T>(list: readonly T[], most: number): T[] {
  const step = Math.max(1, list.length / most);
  return list.filter((_, index) => Math.floor(index / step) !== Math.floor((index - 1) / step));
}

async function loadFile(page: Page, id: string, files: Readonly<Record<string, string>>): Promise<void> {
  const kept = JSON.stringify({ version: 1, exercises: { [id]: { files } } });
  const file = { name: "kept.json", mimeType: "application/json", buffer: Buffer.from(kept) };
  await page.locator('input[type="file"]').setInputFiles(file);
}

async function shownAfter(page: Page, round: number): Promise<Shown> {
  const verdict = page.locator(`.verdict[data-round="${round}"]`);
  await verdict.waitFor();
  return await verdict.evaluate((element) => {
    const parts = ".verdict-tally, .verdict-title, dt, dd, .misconception-sentence";
    return {
      kind: element.dataset["kind"] ?? "",
      failing: (element.dataset["failing"] ?? "").split(" ").filter((id) => id !== ""),
      words: [...element.querySelectorAll(parts)].map((each) => each.textContent).join("\n"),
    };
  });
}

/** As `VerdictView.vue` lays it out. */
function messageOf(verdict: Verdict): string {
  const words = verdictWords(verdict, { hint: "open the hints below", folder: "" });
  const entries = words.entries.flatMap(({ label, text }) => [
    label,
    ["Sent", "Expected", "Got", "Printed"].includes(label) ? text : plain(text),
  ]);
  return [
    words.tally,
    `${words.isGood ? "✓" : "✗"} ${words.title}`,
    ...entries,
    ...words.misconceptions.map(plain),
  ].join("\n");
}

/** Without the marks of code, which the page sets in another type. */
function plain(text: string): string {
  return text.replaceAll("`", "");
}
