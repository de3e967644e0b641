// How long it takes from the first visit to the first green test: a browser that was never here opens the first page, follows its
// link to an exercise, reads, changes one line and waits for the verdict. It types and reads no faster than people do.
//
//   npx tsx scripts/docs/exercise-first-visit.ts                 at 1440 and at 390, light and dark
//   npx tsx scripts/docs/exercise-first-visit.ts --shots FOLDER  and leaves pictures there
//
// Exit codes: 0 each visit took less than three minutes, 1 one did not, 2 ours.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { runCommand, type Values } from "../command-line.ts";
import { projectRoot } from "../stages.ts";
import { findBrowser, howToGetBrowser, launchBrowser } from "./browser.ts";
import { patientMs } from "./browser-pages.ts";
import { buildSite } from "./build.ts";
import { builtSiteFolder } from "./built-site.ts";
import { serveFolder } from "./static-server.ts";

const limitMs = 180_000;
/** Adults read 238 words of English per minute, silently (Brysbaert 2019, a review of 190 studies). */
const wordsPerMinute = 238;
/** Between two keys: 52 words per minute (Dhakal and others 2018, 168,000 people). */
const keyMs = 230;

/** What a reader would change, and into what. */
const line = "const listed = document.routingTable[routingKey];";
const written =
  "const listed = Object.hasOwn(document.routingTable, routingKey) ? document.routingTable[routingKey] : undefined;";

const usage = `Usage: npx tsx scripts/docs/exercise-first-visit.ts [flags]
  --shots FOLDER   leaves pictures there
  --help           this text`;

const options = { shots: { type: "string" } } as const;

async function main(values: Values<typeof options>): Promise<number> {
  const program = findBrowser();
  if (program === undefined) throw new Error(`There is no browser: ${howToGetBrowser}`);
  const built = await buildSite(projectRoot);
  if (!built.ok) throw new Error(built.output);
  if (values.shots !== undefined) mkdirSync(values.shots, { recursive: true });
  await using server = await serveFolder(builtSiteFolder(projectRoot));
  await using browser = await launchBrowser(program);
  let slowestMs = 0;
  for (const width of [1440, 390])
    for (const scheme of ["light", "dark"] as const) {
      const shots = values.shots === undefined ? undefined : join(values.shots, `${width}-${scheme}`);
      slowestMs = Math.max(slowestMs, await visit(browser, server.url, { width, scheme, shots }));
    }
  return slowestMs < limitMs ? 0 : 1;
}

interface Visit {
  readonly width: number;
  readonly scheme: "light" | "dark";
  readonly shots: string | undefined;
}

/** @returns the time that a person would have taken: that of the machine, and that of reading and typing. */
async function visit(browser: Browser, url: string, { width, scheme, shots }: Visit): Promise<number> {
  await using context = await browser.newContext({ viewport: { width, height: 844 }, colorScheme: scheme });
  const page = await context.newPage();
  page.setDefaultTimeout(patientMs);
  const shoot = async (name: string) => {
    if (shots !== undefined) await page.screenshot({ path: `${shots}-${name}.png` });
  };
  const beganMs = performance.now();
  await page.goto(url);
  await page.getByRole("link", { name: "Try an exercise here" }).click();
  const editor = page.locator(".cm-content");
  await editor.waitFor();
  await page.locator('.verdict[data-kind="failed"]').waitFor();
  const loadedMs = performance.now() - beganMs;
  await shoot("1-story");
  const words = await page.evaluate(wordsBeforeTheEditor);
  await page.locator("#your-code").scrollIntoViewIfNeeded();
  await editor.locator(".cm-line", { hasText: line }).click();
  await shoot("2-red");
  await page.keyboard.press("End");
  // The whole line, however many rows it takes on a phone.
  for (let key = 0; key < line.length; key++) await page.keyboard.press("Backspace");
  await page.keyboard.type(written);
  await page.locator('.verdict[data-kind="passed"]').waitFor();
  const machineMs = performance.now() - beganMs;
  await page.locator(".verdict").scrollIntoViewIfNeeded();
  await shoot("3-green");
  await page.locator("#your-code-in-the-same-outage").scrollIntoViewIfNeeded();
  await shoot("4-again");
  const readingMs = (words * 60_000) / wordsPerMinute;
  // The line goes with three keys: End, Shift and Home, Delete.
  const typingMs = (written.length + 3) * keyMs;
  const total = machineMs + readingMs + typingMs;
  console.log(
    `${width} ${scheme}: ${seconds(total)}: ${words} words read in ${seconds(readingMs)}, ${written.length} letters typed in ${seconds(typingMs)}, the machine ${seconds(machineMs)}, of which ${seconds(loadedMs)} until the first verdict`,
  );
  return total;
}

/** Runs in the page: every word from its title to the editor, the verdict, and the code of the answer's function. */
function wordsBeforeTheEditor(): number {
  const editor = document.querySelector(".workspace");
  const texts = [...document.querySelectorAll<HTMLElement>(".vp-doc :is(h1, h2, p, li), .verdict :is(p, dd)")]
    .filter((element) => editor !== null && (element.compareDocumentPosition(editor) & 2) === 0)
    .map((element) => element.textContent ?? "");
  return texts.join(" ").split(/\s+/).filter(Boolean).length;
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`;
}

await runCommand({ name: "exercise-first-visit", usage, options, flagsOnly: true }, main);
