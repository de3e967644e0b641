// What a reader does on the site, done in a browser: simulations by keyboard, with the log that Node computes for the same
// parameters; questions; the search; and a page without JavaScript.

import type { Browser, Page } from "playwright-core";
import { eventually } from "../../shared/testkit/eventually.ts";
import { simulations } from "../../site/simulations/all.ts";
import { defaultValues, logText, writeValues } from "../../site/simulations/simulation.ts";
import { type Outcome, patientMs, watch } from "./browser-pages.ts";

/** The page on which each simulation stands. */
const pageOf: Readonly<Record<string, string>> = {
  route: "/m1",
  reload: "/m2",
  fleet: "/m3",
  resilience: "/m4",
  shuffle: "/annex/shuffle-sharding",
};

const milestones = [
  ["static routing", "/m1"],
  ["hot reload", "/m2"],
  ["control plane that pushes", "/m3"],
  ["resilience that stays local", "/m4"],
  ["optimised rewrite", "/m5"],
] as const;

class Expectation extends Error {}

export async function checkUse(browser: Browser, url: string): Promise<Outcome> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    reducedMotion: "reduce",
  });
  const cases: [string, (page: Page) => Promise<void>][] = [
    ...simulations.map(({ name }): [string, (page: Page) => Promise<void>] => [
      `simulation ${name}`,
      (page) => useSimulation(page, url, name),
    ]),
    ["questions", (page) => answerQuestions(page, url)],
    ["search", (page) => search(page, url)],
  ];
  const faults: string[] = [];
  for (const [title, use] of cases) {
    const page = await context.newPage();
    page.setDefaultTimeout(patientMs);
    watch(page, url, (words) => faults.push(`${title}: ${words}`));
    await use(page).catch((error: Error) => faults.push(`${title}: ${error.message.split("\n")[0]}`));
    await page.close();
  }
  await context.close();
  await readWithoutJavaScript(browser, url).catch((error: Error) =>
    faults.push(`without JavaScript: ${error.message}`),
  );
  return { looked: `${cases.length + 1} uses`, faults };
}

function expect(holds: boolean, words: string): void {
  if (!holds) throw new Expectation(words);
}

async function useSimulation(page: Page, url: string, name: string): Promise<void> {
  const simulation = simulations.find((each) => each.name === name);
  if (simulation === undefined) throw new Expectation("there is no such simulation");
  for (const seed of [1, 7]) {
    const values = { ...defaultValues(simulation.parameters), seed };
    const query = new URLSearchParams();
    writeValues(simulation, values, query);
    await page.goto(`${url}${pageOf[name]}${query.size > 0 ? `?${query}` : ""}`);
    const sim = page.locator(`[data-simulation="${name}"]`);
    const text = sim.locator(".sim-text");
    await text.locator("summary").focus();
    await page.keyboard.press("Enter");
    const log = await text.locator("pre").textContent();
    expect(
      log === logText(simulation.run(values)),
      `the log for seed ${seed} differs from the one that Node computes`,
    );
  }
  const sim = page.locator(`[data-simulation="${name}"]`);
  const count = () => sim.locator(".sim-count").textContent();
  await sim.locator(".sim-play").focus();
  await page.keyboard.press("Tab");
  // At the first event there is nothing to go back to, so the next button is Step.
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");
  expect(
    (await count())?.startsWith("Event 2 of") === true,
    `two steps by keyboard lead to "${await count()}"`,
  );
  await sim.locator(".sim-play").focus();
  await page.keyboard.press("Space");
  await page.waitForFunction((which) => {
    const words = document.querySelector(`[data-simulation="${which}"] .sim-count`)?.textContent ?? "";
    return Number(words.split(" ")[1]) > 2;
  }, name);
  await page.keyboard.press("Space");
  await sim.locator(".sim-play", { hasText: "Play" }).waitFor();
  const seed = sim.locator('input[type="number"]').first();
  await seed.fill("9");
  await page.keyboard.press("Tab");
  await page.waitForFunction((which) => location.search.includes(`${which}.seed=9`), name);
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
  const option = page.locator(".quiz-option").first();
  await option.locator("summary").focus();
  await page.keyboard.press("Enter");
  await option.locator("p").waitFor();
  await page.locator(".quiz-score", { hasText: "0 of 1" }).waitFor();
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
    await page.keyboard.press("Escape");
  }
}

async function readWithoutJavaScript(browser: Browser, url: string): Promise<void> {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(`${url}/m1`);
  expect((await page.locator(".sim-rows tbody tr").count()) > 10, "the simulation shows no events");
  expect(await page.getByText("The answer").first().isVisible(), "the prediction hides its answer");
  await page.locator(".quiz-option summary").first().click();
  expect(await page.locator(".quiz-option p").first().isVisible(), "the quiz does not explain");
  await context.close();
}
