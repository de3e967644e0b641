// What a reader does on the site, done in a browser: simulations by keyboard, with the log that Node computes for the same
// parameters; questions; the search; and a page without JavaScript.

import type { Browser, Page } from "playwright-core";
import { eventually } from "../../shared/testkit/eventually.ts";
import { simulations } from "../../site/simulations/all.ts";
import { type Outcome, patientMs, watch } from "./browser-pages.ts";
import {
  breakThings,
  cutAndDragBack,
  Expectation,
  expect,
  seeOutages,
  useSimulation,
} from "./browser-sims.ts";

const milestones = [
  ["static routing", "/m1"],
  ["hot reload", "/m2"],
  ["control plane that pushes", "/m3"],
  ["resilience that stays local", "/m4"],
  ["optimised rewrite", "/m5"],
] as const;

export async function checkUse(browser: Browser, url: string): Promise<Outcome> {
  await using context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    reducedMotion: "reduce",
  });
  const cases: [string, (page: Page) => Promise<void>][] = [
    ...simulations.map(({ name }): [string, (page: Page) => Promise<void>] => [
      `simulation ${name}`,
      (page) => useSimulation(page, url, name),
    ]),
    ["the outages", (page) => seeOutages(page, url)],
    ["breaking things", (page) => breakThings(page, url)],
    ["a link, and back in time", (page) => cutAndDragBack(page, url)],
    ["questions", (page) => answerQuestions(page, url)],
    ["a link to a proof", (page) => followProof(page, url)],
    ["search", (page) => search(page, url)],
  ];
  const faults: string[] = [];
  for (const [title, use] of cases) {
    await using page = await context.newPage();
    page.setDefaultTimeout(patientMs);
    watch(page, url, (words) => faults.push(`${title}: ${words}`));
    await use(page).catch((error: Error) => faults.push(`${title}: ${error.message.split("\n")[0]}`));
  }
  await readWithoutJavaScript(browser, url).catch((error: Error) =>
    faults.push(`without JavaScript: ${error.message}`),
  );
  return { looked: `${cases.length + 1} uses`, faults };
}

async function answerQuestions(page: Page, url: string): Promise<void> {
  await page.goto(`${url}/m1`);
  // Only there once the page has come to life; what is typed before that is lost.
  await page.locator(".sim-play").first().waitFor();
  const predict = page.locator(".predict").first();
  await predict.locator("input").first().focus();
  await page.keyboard.press("Space");
  await predict.getByRole("button").focus();
  await page.keyboard.press("Enter");
  await predict.locator(".predict-answer p").waitFor();
  await page.locator("details:has(.quiz) > summary").focus();
  await page.keyboard.press("Enter");
  const option = page.locator(".quiz-option").first();
  await option.locator("summary").focus();
  await page.keyboard.press("Enter");
  await option.locator("p").waitFor();
  await page.locator(".quiz-score", { hasText: "0 of 1" }).waitFor();
}

/** Proofs are folded twice: a link to one has to unfold both, and to land below the bar at the top. */
async function followProof(page: Page, url: string): Promise<void> {
  await page.goto(`${url}/m1`);
  const link = page.locator("figcaption a.proof-link").first();
  await link.focus();
  await page.keyboard.press("Enter");
  const proof = page.locator(`[id="${(await link.getAttribute("href"))?.slice(1)}"]`);
  await proof.waitFor();
  const below = async () => ((await proof.boundingBox())?.y ?? 0) >= 64;
  await eventually(below, { what: "the proof lies below the bar", deadlineMs: patientMs, everyMs: 50 });
  expect((await proof.textContent())?.includes("test(") === true, "the link leads to no test");
}

async function search(page: Page, url: string): Promise<void> {
  await page.goto(url);
  for (const [words, path] of milestones) {
    const box = page.locator(".VPLocalSearchBox input");
    // The page hears no key before it has come to life.
    const opens = async () => {
      await page.keyboard.press("Control+k");
      return await box.isVisible();
    };
    await eventually(opens, { what: "Ctrl-K opens the search", deadlineMs: patientMs, everyMs: 50 });
    await box.fill(words);
    await page
      .locator(`.VPLocalSearchBox a[href^="${path}"]`)
      .first()
      .waitFor()
      .catch(() => {
        throw new Expectation(`"${words}" does not find ${path}`);
      });
    if (path === "/m1") await page.locator(".VPLocalSearchBox .excerpt mark").first().waitFor();
    await page.keyboard.press("Escape");
  }
}

async function readWithoutJavaScript(browser: Browser, url: string): Promise<void> {
  await using context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(`${url}/m1`);
  expect((await page.locator(".sim-rows tbody tr").count()) > 10, "the simulation shows no events");
  expect(await page.getByText("The answer").first().isVisible(), "the prediction hides its answer");
  await page.locator("details:has(.quiz) > summary").click();
  await page.locator(".quiz-option summary").first().click();
  expect(await page.locator(".quiz-option p").first().isVisible(), "the quiz does not explain");
}
