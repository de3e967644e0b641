// The first page in motion: it plays unattended, holds while somebody looks, and can be broken by a click; it stands still for a
// reader who asks for less motion; and on a phone a finger pulls a thing out of its place.

import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core";
import { eventually } from "../../shared/testkit/eventually.ts";
import { type Outcome, patientMs, watch } from "./browser-pages.ts";

const target = "cell-visa";

export async function checkMotion(browser: Browser, url: string): Promise<Outcome> {
  const faults: string[] = [];
  const desk = { viewport: { width: 1280, height: 900 } };
  const phone = { viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true };
  const cases: [string, BrowserContextOptions, (page: Page) => Promise<string | undefined>][] = [
    ["the first page in motion", { ...desk, reducedMotion: "no-preference" }, playsAndHolds],
    ["the first page with reduced motion", { ...desk, reducedMotion: "reduce" }, standsStill],
    ["the first page by finger", { ...phone, reducedMotion: "reduce" }, pullsByFinger],
  ];
  for (const [title, options, use] of cases) {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    page.setDefaultTimeout(patientMs);
    watch(page, url, (words) => faults.push(`${title}: ${words}`));
    await page.goto(url);
    const fault = await use(page).catch((error: Error) => error.message.split("\n")[0]);
    if (fault !== undefined) faults.push(`${title}: ${fault}`);
    await context.close();
  }
  return { looked: `${cases.length} ways of moving`, faults };
}

async function playsAndHolds(page: Page): Promise<string | undefined> {
  const sim = page.locator('[data-simulation="route"]');
  await sim.locator(".sim-play", { hasText: "Pause" }).waitFor();
  await moves(sim, "it plays by itself");
  // A place without a thing: what is there need not be clicked to be held.
  await sim.locator(".sim-world figcaption b").first().hover({ force: true });
  await sim.locator(".sim-hint", { hasText: "Held while you look" }).waitFor();
  const held = await clockOf(sim);
  // Time enough for many frames: whatever runs would have moved on.
  await page.evaluate(thirtyFrames);
  if ((await clockOf(sim)) !== held) return "it goes on while the mouse is over it";
  const thing = sim.locator(`.sim-world[data-world="cells"] [data-target="${target}"]`);
  await thing.click();
  await page.waitForFunction((which) => location.search.includes(which), target);
  if ((await thing.getAttribute("aria-pressed")) !== "true") return "a click does not break a cell";
  await moves(sim, "it goes on after a click");
  return undefined;
}

async function standsStill(page: Page): Promise<string | undefined> {
  const sim = page.locator('[data-simulation="route"]');
  await sim.locator(".sim-play", { hasText: "Play" }).waitFor();
  await page.evaluate(thirtyFrames);
  return (await clockOf(sim)) === 0 ? undefined : "it plays although the reader asks for less motion";
}

async function pullsByFinger(page: Page): Promise<string | undefined> {
  const thing = page.locator(`.sim-world[data-world="cells"] [data-target="${target}"]`);
  await page.locator(".sim-play").first().waitFor();
  await thing.scrollIntoViewIfNeeded();
  const box = await thing.boundingBox();
  if (box === null) return "what is to be pulled is not in view";
  const session = await page.context().newCDPSession(page);
  const touch = (type: "touchStart" | "touchMove" | "touchEnd", byPx = 0) => {
    const touchPoints = type === "touchEnd" ? [] : [{ x: box.x + 20 - byPx, y: box.y + 14 }];
    return session.send("Input.dispatchTouchEvent", { type, touchPoints });
  };
  await touch("touchStart");
  for (const byPx of [8, 24, 40, 56]) await touch("touchMove", byPx);
  await touch("touchEnd");
  const broken = thing.and(page.locator('[aria-pressed="true"]'));
  return await broken.waitFor({ timeout: 5_000 }).then(
    () => undefined,
    () => "a pull to the side does not break a cell",
  );
}

async function moves(sim: Locator, what: string): Promise<void> {
  const before = await clockOf(sim);
  await eventually(async () => (await clockOf(sim)) !== before, { what, deadlineMs: patientMs, everyMs: 50 });
}

/** Time that the simulation shows, in seconds. */
async function clockOf(sim: Locator): Promise<number> {
  return Number.parseFloat((await sim.locator(".sim-clock").textContent()) ?? "");
}

/** Runs in the page. */
async function thirtyFrames(): Promise<void> {
  for (let frame = 0; frame < 30; frame++) await new Promise((resolve) => requestAnimationFrame(resolve));
}
