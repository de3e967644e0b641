// An exercise as a learner does it in the page, by keyboard: writes, sees the verdict, leaves the editor, comes back later,
// begins again, and writes a loop without end.

import type { Browser, Page } from "playwright-core";
import { slugOf } from "../../site/exercise/bundle.ts";
import { stallMs } from "../../site/exercise/page-check.ts";
import { listExerciseIds, loadExercise } from "../exercise/exercise-spec.ts";
import { type Outcome, patientMs, watch } from "./browser-pages.ts";
import { expect } from "./browser-sims.ts";
import { answerFiles, gatherExercise } from "./exercise-bundle.ts";

const id = "m1/01-route-lookup";

export async function checkExerciseUse(browser: Browser, url: string, root: string): Promise<Outcome> {
  await using context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  page.setDefaultTimeout(patientMs);
  const faults: string[] = [];
  watch(page, url, (words) => faults.push(`${id}: ${words}`));
  let latencyMs = 0;
  try {
    const solution = answerFiles(loadExercise(root, id), { kind: "solution" })["route.ts"] ?? "";
    await page.goto(`${url}/exercise/${slugOf(id)}`);
    await kind(page, "failed");
    latencyMs = await write(page, solution);
    await kind(page, "passed");
    await leavesByTab(page);
    await comesBack(page);
    await beginsAgain(page);
    await write(page, `${solution}\nwhile (true) {}\n`);
    await kind(page, "runaway");
    await page.getByText(`had not come back after ${stallMs / 1_000} s`).waitFor();
    await unfolds(page);
    await page.goto(`${url}/exercise/${slugOf(notInThePage(root))}`);
    await page.getByText(`npm run exercise ${notInThePage(root)}`, { exact: true }).waitFor();
  } catch (error) {
    faults.push(`${id}: ${error instanceof Error ? error.message.split("\n")[0] : error}`);
  }
  return { looked: `an exercise by keyboard, its verdict after ${Math.round(latencyMs)} ms`, faults };
}

function kind(page: Page, which: string): Promise<void> {
  return page.locator(`.verdict[data-kind="${which}"]`).waitFor();
}

/** Writes over all that is there. Returns the time from the last key to the verdict. */
async function write(page: Page, text: string): Promise<number> {
  await page.locator(".cm-content").focus();
  await page.keyboard.press("Control+a");
  const seen = page.evaluate(timeToVerdict);
  await page.keyboard.insertText(text);
  return await seen;
}

/** Runs in the page. */
function timeToVerdict(): Promise<number> {
  const verdict = document.querySelector<HTMLElement>(".verdict");
  const editor = document.querySelector(".cm-content");
  let typedAt = performance.now();
  editor?.addEventListener("input", () => {
    typedAt = performance.now();
  });
  return new Promise((resolve) => {
    const observer = new MutationObserver(() => resolve(performance.now() - typedAt));
    if (verdict !== null) observer.observe(verdict, { attributeFilter: ["data-kind"] });
  });
}

async function leavesByTab(page: Page): Promise<void> {
  await page.locator(".cm-content").focus();
  await page.keyboard.press("Tab");
  const isInside = await page.evaluate(() => document.activeElement?.closest(".cm-editor") !== null);
  expect(!isInside, "Tab does not leave the editor");
}

async function comesBack(page: Page): Promise<void> {
  await page.reload();
  await kind(page, "passed");
}

async function beginsAgain(page: Page): Promise<void> {
  for (const [name, verdict] of [
    ["Reset", undefined],
    ["Yes, reset", "failed"],
    ["Undo", "passed"],
  ] as const) {
    await page.getByRole("button", { name, exact: true }).focus();
    await page.keyboard.press("Enter");
    if (verdict !== undefined) await kind(page, verdict);
  }
}

/** One hint at a time; the solution after a question. */
async function unfolds(page: Page): Promise<void> {
  const hints = page.locator("details.hint");
  expect(!(await hints.nth(1).isVisible()), "the second hint shows before the first");
  await hints.first().locator("summary").focus();
  await page.keyboard.press("Enter");
  await hints.nth(1).waitFor();
  const shown = page.locator("details.solution-shown");
  expect(!(await shown.isVisible()), "the solution is not asked for");
  await page.locator("details.solution > summary").focus();
  await page.keyboard.press("Enter");
  await shown.waitFor();
  expect(!(await shown.locator("pre").first().isVisible()), "the solution shows before it is confirmed");
}

function notInThePage(root: string): string {
  const found = listExerciseIds(root).find((each) => !gatherExercise(loadExercise(root, each)).runs);
  if (found === undefined) throw new Error("Every exercise runs in the page: take this step out");
  return found;
}
