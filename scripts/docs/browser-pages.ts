// Every page as a reader meets it: it loads without an error and without asking another machine, axe finds no serious
// fault in either colour scheme, and a phone and a tablet have nothing to scroll sideways.

import { AxeBuilder } from "@axe-core/playwright";
import type { Browser, Page } from "playwright-core";
import { filesUnder } from "../stages.ts";

export interface Outcome {
  readonly looked: string;
  readonly faults: readonly string[];
}

/** Pages that are open at once: the machine has few cores. */
const lanes = 2;

/**
 * The pages of exercises are made by one template. These are looked at: one that runs in the page and has a scene, and one
 * that does not; and what is there when the page is complete.
 */
const exercisePages: ReadonlyMap<string, string> = new Map([
  ["/exercise/m4-03-half-open", ".is-again .scene-ending:not(:empty)"],
  ["/exercise/m1-05-aborts", "#what-comes-next-and-what-is-kept"],
]);

/** Longest wait for what a page is to show, in milliseconds: nothing takes so long but on a machine that is very busy. */
export const patientMs = 30_000;

/** Pages that one finishes, and how high each may be on a laptop with everything folded, in pixels. Fonts differ a little. */
const shortPages: readonly string[] = ["/m1", "/m2", "/m3", "/m4", "/m5", "/bench"];
const maxShortPx = 6_300;

export async function checkPages(browser: Browser, url: string, folder: string): Promise<Outcome> {
  const paths = filesUnder(folder)
    .filter((file) => file.endsWith(".html"))
    .map((file) => `/${file.replace(/(?:index)?\.html$/, "")}`)
    .filter((path) => path !== "/404")
    .filter((path) => !path.startsWith("/exercise/") || exercisePages.has(path));
  const waiting = [...paths];
  const faults: string[] = [];
  const lane = async () => {
    await using context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    // One tab for all pages of the lane: a new one is a new process, which loads everything anew.
    const page = await context.newPage();
    page.setDefaultTimeout(patientMs);
    let path: string | undefined;
    watch(page, url, (words) => faults.push(`${path}: ${words}`));
    for (path = waiting.shift(); path !== undefined; path = waiting.shift()) {
      faults.push(...(await checkPage(page, url, path)));
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return { looked: `${paths.length} pages, light, dark and narrow`, faults };
}

async function checkPage(page: Page, url: string, path: string): Promise<string[]> {
  const faults: string[] = [];
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  await page.goto(url + path, { waitUntil: "load" });
  await page.locator(".VPContent").waitFor();
  const top = await page.evaluate(
    () => document.querySelector(".VPNavBarTitle")?.getBoundingClientRect().top,
  );
  if (top !== 0) faults.push(`${path}: the menu begins at ${top} px, not at the top`);
  if (shortPages.includes(path)) faults.push(...(await heightFaults(page, path)));
  const complete = exercisePages.get(path);
  if (complete !== undefined) await page.locator(complete).waitFor();
  faults.push(...(await widthFaults(page, path)));
  faults.push(...(await clippedCode(page, path)));
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.evaluate(shortenCode);
  faults.push(...(await axeFaults(`${path} (light)`, axeOf(page))));
  await page.emulateMedia({ colorScheme: "dark" });
  await page.locator("html.dark").waitFor({ state: "attached" });
  // In the second scheme nothing but the colours is different.
  faults.push(...(await axeFaults(`${path} (dark)`, axeOf(page).withRules(["color-contrast"]))));
  return faults;
}

async function widthFaults(page: Page, path: string): Promise<string[]> {
  const faults: string[] = [];
  for (const width of [768, 390]) {
    await page.setViewportSize({ width, height: 800 });
    const fits = (max: number) => innerWidth === max && document.documentElement.scrollWidth <= max;
    const wide = await page
      .waitForFunction(fits, width, { timeout: 5_000 })
      .then(() => "")
      .catch(() => page.evaluate(widest));
    if (wide !== "") faults.push(`${path}: scrolls sideways at ${width} px: ${wide}`);
  }
  return faults;
}

async function heightFaults(page: Page, path: string): Promise<string[]> {
  await page.setViewportSize({ width: 1440, height: 900 });
  // A simulation takes a moment to lay itself out anew.
  const fits = (max: number) => document.documentElement.scrollHeight <= max;
  const isShort = await page.waitForFunction(fits, maxShortPx, { timeout: 5_000 }).catch(() => undefined);
  if (isShort !== undefined) return [];
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  return [`${path}: is ${height} px high at 1440, more than ${maxShortPx}`];
}

/** Code that reaches beyond its box, on a phone, on a laptop and on a desk. */
async function clippedCode(page: Page, path: string): Promise<string[]> {
  const faults: string[] = [];
  for (const width of [390, 1440, 1920]) {
    await page.setViewportSize({ width, height: 900 });
    // The page hears of its new width a moment later, and its columns change then.
    await page.evaluate(
      () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
    );
    const clipped = await page.evaluate(clippedLines);
    if (clipped.length > 0)
      faults.push(`${path}: ${clipped.length} blocks of code are cut off at ${width} px: ${clipped[0]}`);
  }
  return faults;
}

/** Runs in the page: how each block begins that can be scrolled sideways. What is folded is opened first. */
function clippedLines(): string[] {
  for (const details of document.querySelectorAll<HTMLDetailsElement>(".vp-doc details:has(pre)"))
    details.open = true;
  return [...document.querySelectorAll(".vp-doc pre")]
    .filter((block) => block.clientWidth > 0 && block.scrollWidth > block.clientWidth + 1)
    .map(
      (block) => `${block.scrollWidth} in ${block.clientWidth}, ${(block.textContent ?? "").slice(0, 60)}`,
    );
}

/**
 * Runs in the page: leaves one line of each piece of code, which is enough for whatever axe says of the block around it. All of
 * it is ten thousand words in the same nine colours, whose contrast docs.test.ts computes. Code with notes stays: its marked lines
 * have another ground.
 */
function shortenCode(): void {
  for (const code of document.querySelectorAll(
    ".stage-code:not(.is-noted) pre code, .code-whole pre code, .diff-lines",
  )) {
    code.textContent = code.textContent?.split("\n")[0] ?? "";
  }
}

/** Tells of what a reader would find in the console, and of every request that leaves this server. */
export function watch(page: Page, url: string, tell: (words: string) => void): void {
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning")
      tell(`the console says: ${message.text()}`);
  });
  page.on("pageerror", (error) => tell(`an error: ${error.message}`));
  page.on("request", (request) => {
    const to = request.url();
    if (!to.startsWith(`${url}/`) && !to.startsWith("data:") && !to.startsWith("blob:")) tell(`asks ${to}`);
  });
}

/**
 * In the page itself, where axe otherwise opens another one to put its result together; there are no frames here. And only what
 * is wrong: what is right is a megabyte of text for a long page.
 */
function axeOf(page: Page): AxeBuilder {
  return new AxeBuilder({ page }).setLegacyMode().options({ resultTypes: ["violations"] });
}

async function axeFaults(where: string, axe: AxeBuilder): Promise<string[]> {
  const { violations } = await axe.analyze();
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(
      ({ id, help, nodes }) =>
        `${where}: ${id}, ${help}: ${nodes
          .slice(0, 3)
          .map(({ html }) => html.slice(0, 140))
          .join(" | ")} (${nodes.length})`,
    );
}

/** Runs in the page: what reaches furthest to the right. */
function widest(): string {
  const reaches = [...document.querySelectorAll("body *")]
    .map((element) => ({ element, right: element.getBoundingClientRect().right }))
    .sort((a, b) => b.right - a.right);
  const [first] = reaches;
  return `${document.documentElement.scrollWidth} px; ${first?.element.tagName}.${first?.element.className} reaches ${Math.round(first?.right ?? 0)} px`;
}
