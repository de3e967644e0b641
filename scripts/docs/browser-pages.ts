// Every page as a reader meets it: it loads without an error and without asking another machine, axe finds no serious
// fault in either colour scheme, and a phone has nothing to scroll sideways.

import { AxeBuilder } from "@axe-core/playwright";
import type { Browser, Page } from "playwright-core";
import { filesUnder } from "../stages.ts";

export interface Outcome {
  readonly looked: string;
  readonly faults: readonly string[];
}

/** Pages that are open at once: the machine has few cores. */
const lanes = 2;

export async function checkPages(browser: Browser, url: string, folder: string): Promise<Outcome> {
  const paths = filesUnder(folder)
    .filter((file) => file.endsWith(".html"))
    .map((file) => `/${file.replace(/(?:index)?\.html$/, "")}`)
    .filter((path) => path !== "/404");
  const waiting = [...paths];
  const faults: string[] = [];
  const lane = async () => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
      faults.push(...(await checkPage(await context.newPage(), url, path)));
    }
    await context.close();
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return { looked: `${paths.length} pages, light, dark and narrow`, faults };
}

async function checkPage(page: Page, url: string, path: string): Promise<string[]> {
  const faults: string[] = [];
  watch(page, url, (words) => faults.push(`${path}: ${words}`));
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  await page.goto(url + path, { waitUntil: "load" });
  await page.locator(".VPContent").waitFor();
  faults.push(...(await axeFaults(`${path} (light)`, new AxeBuilder({ page }))));
  await page.emulateMedia({ colorScheme: "dark" });
  await page.locator("html.dark").waitFor({ state: "attached" });
  faults.push(...(await axeFaults(`${path} (dark)`, new AxeBuilder({ page }).withRules(["color-contrast"]))));
  await page.setViewportSize({ width: 390, height: 800 });
  const wide = await page
    .waitForFunction(() => innerWidth === 390 && document.documentElement.scrollWidth <= 390, undefined, {
      timeout: 3_000,
    })
    .then(() => "")
    .catch(() => page.evaluate(widest));
  if (wide !== "") faults.push(`${path}: scrolls sideways on a phone: ${wide}`);
  await page.close();
  return faults;
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
 * Embedded code is left out: ten thousand words in the same nine colours, whose contrast docs.test.ts computes. In the
 * second scheme nothing but the colours is different.
 */
async function axeFaults(where: string, axe: AxeBuilder): Promise<string[]> {
  const { violations } = await axe.exclude(".stage-code pre").exclude(".diff-lines").analyze();
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
