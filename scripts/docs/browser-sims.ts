// Simulations by keyboard, in a browser: the same log as in Node, steps and play, back and forth in time, fields, things that
// break, and the outage that each page tells.

import type { Locator, Page } from "playwright-core";
import { simulations } from "../../site/simulations/all.ts";
import { defaultValues, logText, valuesIn, writeValues } from "../../site/simulations/simulation.ts";
import { totals } from "../../site/simulations/timeline.ts";

/** The page on which each simulation stands. */
const pageOf: Readonly<Record<string, string>> = {
  route: "/m1",
  reload: "/m2",
  fleet: "/m3",
  resilience: "/m4",
  shuffle: "/annex/shuffle-sharding",
};

export class Expectation extends Error {}

export function expect(holds: boolean, words: string): void {
  if (!holds) throw new Expectation(words);
}

/** Time that a simulation shows, in seconds. */
async function clockOf(sim: Locator): Promise<number> {
  return Number.parseFloat((await sim.locator(".sim-clock").textContent()) ?? "");
}

export async function useSimulation(page: Page, url: string, name: string): Promise<void> {
  const simulation = simulations.find((each) => each.name === name);
  if (simulation === undefined) throw new Expectation("there is no such simulation");
  for (const seed of [1, 7]) {
    const values = { ...defaultValues(simulation.parameters), seed };
    const query = new URLSearchParams();
    writeValues(simulation, values, query);
    await page.goto(`${url}${pageOf[name]}${query.size > 0 ? `?${query}` : ""}`);
    const sim = page.locator(`[data-simulation="${name}"]`);
    await sim.locator(".sim-play").waitFor();
    for (const summary of [".sim-log > summary", ".sim-text > summary"]) {
      await sim.locator(summary).focus();
      await page.keyboard.press("Enter");
    }
    for (const world of simulation.worlds) {
      const log = await sim.locator(`.sim-text pre[data-world="${world.name}"]`).textContent();
      expect(
        log === logText(simulation.run(valuesIn(world, values)).events),
        `the log of ${world.name} for seed ${seed} differs from the one that Node computes`,
      );
    }
  }
  await playByKeyboard(page, name);
  await goBackByKeyboard(page, name);
  await setByKeyboard(page, name);
}

async function playByKeyboard(page: Page, name: string): Promise<void> {
  const sim = page.locator(`[data-simulation="${name}"]`);
  await sim.locator(".sim-play").focus();
  await page.keyboard.press("Tab");
  // At the beginning there is nothing to go back to, so the next button is Step.
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");
  const count = await sim.locator(".sim-count").first().textContent();
  expect(/Event [1-9] of/.test(count ?? ""), `two steps by keyboard lead to "${count}"`);
  await sim.locator(".sim-play").focus();
  await page.keyboard.press("Space");
  const seen = await page.evaluate(clockTexts, { name, ms: 2_000 });
  await sim.locator(".sim-play").focus();
  await page.keyboard.press("Space");
  await sim.locator(".sim-play", { hasText: "Play" }).waitFor();
  // The context asks for less motion: a few steps, and not a picture for every frame.
  expect(seen >= 1 && seen <= 8, `with reduced motion the picture changed ${seen} times in two seconds`);
}

/** Runs in the page: how often the clock changes. */
function clockTexts({ name, ms }: { name: string; ms: number }): Promise<number> {
  const clock = document.querySelector(`[data-simulation="${name}"] .sim-clock`);
  let changes = 0;
  const observer = new MutationObserver(() => {
    changes += 1;
  });
  if (clock !== null) observer.observe(clock, { childList: true, characterData: true, subtree: true });
  return new Promise((resolve) => setTimeout(() => resolve(changes), ms));
}

async function goBackByKeyboard(page: Page, name: string): Promise<void> {
  const sim = page.locator(`[data-simulation="${name}"]`);
  const scrub = sim.locator(".timeline-scrub input");
  await scrub.focus();
  await page.keyboard.press("End");
  const end = await clockOf(sim);
  await page.keyboard.press("PageDown");
  await page.keyboard.press("ArrowLeft");
  expect((await clockOf(sim)) < end, "the arrow keys do not go back");
  const words = await scrub.getAttribute("aria-valuetext");
  expect(/^[\d.]+ s of \d/.test(words ?? ""), `the time is read out as "${words}"`);
  await page.keyboard.press("Home");
  expect((await clockOf(sim)) === 0, "Home does not lead to the beginning");
}

/** Fields keep the time that is shown, and say what they did to a number that is out of range. */
async function setByKeyboard(page: Page, name: string): Promise<void> {
  const sim = page.locator(`[data-simulation="${name}"]`);
  await sim.locator(".timeline-scrub input").focus();
  for (let press = 0; press < 12; press++) await page.keyboard.press("ArrowRight");
  const before = await clockOf(sim);
  const seed = sim.locator('input[type="number"]').first();
  await seed.fill("9");
  await page.keyboard.press("Tab");
  await page.waitForFunction((which) => location.search.includes(`${which}.seed=9`), name);
  expect((await clockOf(sim)) === before, "a new seed goes back to the beginning");
  await seed.fill("1000000");
  await page.keyboard.press("Tab");
  await sim.locator(".sim-said", { hasText: "1 to 9999" }).waitFor();
}

/** The outage of each page, as its picture tells it at the end, against what Node computes. */
export async function seeOutages(page: Page, url: string): Promise<void> {
  for (const simulation of simulations.filter(({ worlds }) => worlds.length > 1)) {
    await page.goto(`${url}${pageOf[simulation.name]}`);
    const sim = page.locator(`[data-simulation="${simulation.name}"]`);
    await sim.locator(".timeline-scrub input").focus();
    await page.keyboard.press("End");
    const values = defaultValues(simulation.parameters);
    for (const world of simulation.worlds) {
      const { trips, culprits } = simulation.run(valuesIn(world, values));
      const { good, bad } = totals(trips.filter(({ owner }) => !culprits.has(owner)));
      const wanted = `${good} served · ${bad} failed`;
      const shown = await sim.locator(`.sim-world[data-world="${world.name}"] .sim-counts`).textContent();
      expect(
        shown?.endsWith(wanted) === true,
        `${simulation.name}, ${world.name}: "${shown}", not "${wanted}"`,
      );
    }
  }
}

/** A thing in the scene is broken by keyboard, in both worlds and in the address, and mended again; and so by mouse. */
export async function breakThings(page: Page, url: string): Promise<void> {
  for (const [path, name, target] of [
    ["/m1", "route", "cell-visa"],
    ["/m2", "reload", "file"],
    ["/m3", "fleet", "control-plane"],
    ["/m4", "resilience", "cell-tier2"],
  ] as const) {
    await page.goto(`${url}${path}`);
    const sim = page.locator(`[data-simulation="${name}"]`);
    const thing = sim.locator(`.sim-world`).last().locator(`[data-target="${target}"]`);
    await sim.locator(".timeline-scrub input").focus();
    for (let press = 0; press < 10; press++) await page.keyboard.press("ArrowRight");
    await thing.focus();
    await page.keyboard.press("Enter");
    await page.waitForFunction((which) => location.search.includes(which), `${target}_1000_`);
    expect((await thing.getAttribute("aria-pressed")) === "true", `${target} is not shown as broken`);
    await page.keyboard.press("Space");
    expect((await thing.getAttribute("aria-pressed")) === "false", `${target} is not mended`);
    await breakByMouse(page, thing, target);
  }
}

/** A click breaks a thing, a pull out of its place mends it, and a pull that is given up does nothing. */
async function breakByMouse(page: Page, thing: Locator, target: string): Promise<void> {
  const isBroken = async () => (await thing.getAttribute("aria-pressed")) === "true";
  await thing.click();
  expect(await isBroken(), `a click does not break ${target}`);
  await pull(page, thing, 12);
  expect(await isBroken(), `a pull that is given up mends ${target}`);
  await pull(page, thing, 60);
  expect(!(await isBroken()), `${target} is not mended by being dragged away`);
}

async function pull(page: Page, thing: Locator, byPx: number): Promise<void> {
  const box = await thing.boundingBox();
  if (box === null) throw new Expectation("what is to be dragged is not in view");
  const [x, y] = [box.x + box.width / 2, box.y + 12];
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + byPx / 2, y, { steps: 2 });
  await page.mouse.move(x + byPx, y);
  await page.mouse.up();
}

/** The link of a router is the thing itself, and time can be dragged back in the timeline. */
export async function cutAndDragBack(page: Page, url: string): Promise<void> {
  await page.goto(`${url}/m3`);
  const sim = page.locator('[data-simulation="fleet"]');
  await sim.locator(".timeline-scrub input").focus();
  for (let press = 0; press < 10; press++) await page.keyboard.press("ArrowRight");
  const link = sim.locator(".sim-world").last().locator("[data-shadow]").first();
  const target = await link.getAttribute("data-target");
  await link.dispatchEvent("click");
  await page.waitForFunction((which) => location.search.includes(which), `${target}_1000_`);
  const plots = sim.locator(".timeline-plots");
  await plots.scrollIntoViewIfNeeded();
  const box = await plots.boundingBox();
  if (box === null) throw new Expectation("there is no timeline");
  const at = (share: number) => [box.x + share * box.width, box.y + box.height / 2] as const;
  await page.mouse.move(...at(0.8));
  await page.mouse.down();
  const late = await clockOf(sim);
  await page.mouse.move(...at(0.2), { steps: 3 });
  await page.mouse.up();
  expect((await clockOf(sim)) < late / 2, "dragging in the timeline does not go back");
}
