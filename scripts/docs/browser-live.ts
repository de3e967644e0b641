// The live panel, attached to a router of m4 that really runs: a cell is broken, killed and mended, and the panel must
// show the breaker, the cell's health and what is decided, as each of them happens.

import { mkdtempDisposableSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Locator, Page } from "playwright-core";
import { eventually } from "../../shared/testkit/eventually.ts";
import type { RoutingFile } from "../demos/routing-file.ts";
import { type Stack, startStack } from "../stack.ts";
import { stageFolder } from "../stages.ts";
import { type Outcome, patientMs } from "./browser-pages.ts";

export async function checkLivePanel(browser: Browser, url: string, root: string): Promise<Outcome> {
  using state = mkdtempDisposableSync(join(tmpdir(), "cell-routing-live-"));
  await using stack = await startStack({
    stage: "m4",
    port: 0,
    routers: 1,
    stageFolder: stageFolder("m4", root),
    stateFolder: state.path,
  });
  await using context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    reducedMotion: "reduce",
  });
  const faults: string[] = [];
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(patientMs);
    page.on("pageerror", (error) => faults.push(`live panel: an error: ${error.message}`));
    await watchOutage(page, url, stack);
  } catch (error) {
    faults.push(
      `live panel: ${error instanceof Error ? error.message.split("\n").slice(0, 3).join(" ") : error}`,
    );
  }
  return { looked: "the live panel on a running m4", faults };
}

async function watchOutage(page: Page, url: string, stack: Stack): Promise<void> {
  const router = stack.routers[0];
  const cell = stack.cells.get("tier1");
  if (router === undefined || cell === undefined) throw new Error("the stack has no router or no tier1");
  await page.goto(`${url}/m4`);
  const panel = page.locator(".live");
  await panel.locator("input").fill(router.adminUrl);
  await page.keyboard.press("Enter");
  const shows = (words: string | RegExp) => panel.getByText(words).first().waitFor();
  await shows(/^Attached/);

  // What a router writes of a change while somebody watches, and not only what it kept for those who come later.
  protect(stack);
  await shows("table live is in use");

  const card = panel.locator(".live-cell").filter({ has: page.locator("strong", { hasText: "tier1" }) });
  const cardWords = (words: string) => card.getByText(words, { exact: true });
  /** Asks for `acme` until the panel shows what is meant to come of it. */
  const askUntil = (shown: Locator) =>
    eventually(
      async () => {
        await ask(router.url);
        return await shown.isVisible();
      },
      { what: `the panel shows ${shown}`, deadlineMs: patientMs, everyMs: 20 },
    );
  const line = (words: string) => panel.getByText(words).first();

  await cell.fault({ fault: "error", status: 503, healthToo: false });
  await askUntil(cardWords("breaker open"));
  await askUntil(line("tier1: 503"));
  await askUntil(line("tier2 instead of tier1 (circuit-open): 200"));

  await cell.fault({ fault: "none" });
  await askUntil(cardWords("breaker closed"));
  await askUntil(line("breaker of tier1: half-open → closed"));

  await cell.kill();
  await cardWords("unhealthy").waitFor();
  await askUntil(line("tier2 instead of tier1 (unhealthy): 200"));
  await cell.start();
  await cardWords("healthy").waitFor();

  await router.stop();
  await shows(/^The router has gone/);
  await panel.locator("button").click();
  await shows(/^Nothing is running at/);
}

async function ask(url: string): Promise<void> {
  const response = await fetch(`${url}/pay`, { headers: { "X-Routing-Key": "acme" } });
  await response.arrayBuffer();
}

/** Gives tier1 a breaker, a health check and a fallback, all of them quick, as an operator's edit of the file. */
function protect(stack: Stack): void {
  if (stack.routingFile === undefined) throw new Error("the stack has no routing file");
  const file = JSON.parse(readFileSync(stack.routingFile, "utf8")) as RoutingFile;
  const { tier1 } = file.placements;
  if (tier1 === undefined) throw new Error("the routing file has no tier1");
  Object.assign(tier1, {
    health: { intervalMs: 200, timeoutMs: 500 },
    circuitBreaker: { consecutiveFailures: 3, waitMs: 200, maxWaitMs: 400, halfOpenProbes: 1 },
    fallback: ["tier2"],
  });
  file.version = "live";
  writeFileSync(stack.routingFile, `${JSON.stringify(file, null, 2)}\n`);
}
