// An exercise as a learner does it in the page, by keyboard: writes, sees the verdict, leaves the editor, comes back later,
// begins again, and writes a loop without end.

import { gzipSync } from "node:zlib";
import type { Browser, Page } from "playwright-core";
import { slugOf } from "../../site/exercise/bundle.ts";
import { stallMs } from "../../site/exercise/page-check.ts";
import { listExerciseIds, loadExercise } from "../exercise/exercise-spec.ts";
import { type Outcome, patientMs, watch } from "./browser-pages.ts";
import { expect } from "./browser-sims.ts";
import { answerFiles, gatherExercise } from "./exercise-bundle.ts";

const id = "m1/01-route-lookup";

/** Editor, type stripping, tests and the page's own scripts, compressed, in bytes. */
const maxScriptBytes = 900_000;

export async function checkExerciseUse(browser: Browser, url: string, root: string): Promise<Outcome> {
  await using context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  page.setDefaultTimeout(patientMs);
  const faults: string[] = [];
  watch(page, url, (words) => faults.push(`${id}: ${words}`));
  let latencyMs = 0;
  let scriptBytes = 0;
  const scripts = scriptsOf(page);
  try {
    const solution = answerFiles(loadExercise(root, id), { kind: "solution" })["route.ts"] ?? "";
    await page.goto(`${url}/exercise/${slugOf(id)}`);
    await kind(page, "failed");
    await isInOrder(page);
    scriptBytes = (await Promise.all(scripts.values())).reduce((sum, size) => sum + size, 0);
    expect(scriptBytes <= maxScriptBytes, `the page loads ${scriptBytes} bytes of scripts, compressed`);
    await playsTheFirstFailure(
      page,
      answerFiles(loadExercise(root, id), { kind: "starter" })["route.ts"] ?? "",
    );
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
  const figures = `its verdict after ${Math.round(latencyMs)} ms, ${Math.round(scriptBytes / 1_000)} kB of scripts`;
  return { looked: `an exercise by keyboard, ${figures}`, faults };
}

/** The scripts that the page loads from now on, workers' too: address → compressed size in bytes. */
function scriptsOf(page: Page): ReadonlyMap<string, Promise<number>> {
  const scripts = new Map<string, Promise<number>>();
  page.on("response", (response) => {
    if (!response.url().endsWith(".js") || scripts.has(response.url())) return;
    const size = response.body().then((body) => gzipSync(body).length);
    // Of what is fetched ahead and was never needed, the browser keeps no body.
    scripts.set(
      response.url(),
      size.catch(() => 0),
    );
  });
  return scripts;
}

/** Story, outage, task, code, hints, the outage again, the solution, and what comes next. */
async function isInOrder(page: Page): Promise<void> {
  const parts = [
    "#the-outage-behind-it",
    ".is-first .sim",
    "#the-task",
    ".workspace-code",
    ".verdict",
    "#hints",
    ".is-again .sim",
    "#the-solution",
    "#what-comes-next-and-what-is-kept",
  ];
  for (const part of parts) await page.locator(part).waitFor();
  const found = await page.evaluate((selectors) => {
    const all = selectors.map((each) => document.querySelector(each));
    return [...all]
      .sort((a, b) => (a !== null && b !== null && a.compareDocumentPosition(b) & 2 ? 1 : -1))
      .map((each) => selectors[all.indexOf(each)]);
  }, parts);
  expect(found.join() === parts.join(), `the page's order is ${found.join(", ")}`);
}

/** With constructor mended by its name alone, the test of __proto__ fails first, and its scenario is the one that plays. */
async function playsTheFirstFailure(page: Page, starter: string): Promise<void> {
  const pressed = page.locator('.is-again .scenarios [aria-pressed="true"]');
  expect((await pressed.textContent()) === "constructor", "the starter's scene is not that of constructor");
  const lookup = "const listed = document.routingTable[routingKey];";
  const byName = 'const listed = routingKey === "constructor" ? "" : document.routingTable[routingKey];';
  await page.locator(".cm-content").focus();
  await page.keyboard.press("Control+a");
  await page.keyboard.insertText(starter.replace(lookup, byName));
  await pressed.filter({ hasText: "__proto__" }).waitFor();
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
