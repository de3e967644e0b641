// What one frame of a simulation costs, measured in a browser: npx tsx scripts/docs/frame-bench.ts
// It plays m1's page while the load test holds about 200 requests in flight in each of the two worlds. Two figures: the
// script of a frame (its callback and what that leaves to do at once), and all of the main thread's work per frame, with
// style, layout and paint. A measurement, not a check: it depends on the machine.

import { fileURLToPath } from "node:url";
import { takeNoArguments } from "../../shared/testkit/no-arguments.ts";
import { findBrowser, howToGetBrowser, launchBrowser } from "./browser.ts";
import { buildSite } from "./build.ts";
import { builtSiteFolder } from "./built-site.ts";
import { serveFolder } from "./static-server.ts";

takeNoArguments(`Usage: npx tsx scripts/docs/frame-bench.ts
  Measures in a browser what one frame of a simulation costs`);

const root = fileURLToPath(new URL("../..", import.meta.url));
/** When the queues are full, and for how long they stay so, in milliseconds of the simulation. */
const busy = { fromMs: 5_500, forMs: 3_000 };

interface Frames {
  readonly scriptMs: readonly number[];
  readonly dots: readonly number[];
}

const program = findBrowser();
if (program === undefined) throw new Error(howToGetBrowser);
const built = await buildSite(root);
if (!built.ok) throw new Error(built.output);
await using server = await serveFolder(builtSiteFolder(root));
await using browser = await launchBrowser(program);
const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
await page.addInitScript(timeFrames);
await page.goto(`${server.url}/m1`);
const sim = page.locator('[data-simulation="route"]');
await sim.locator(".timeline-scrub input").focus();
for (let ms = 0; ms < busy.fromMs; ms += 100) await page.keyboard.press("ArrowRight");
await sim.scrollIntoViewIfNeeded();
const session = await page.context().newCDPSession(page);
await session.send("Performance.enable");
const taskMs = async () => {
  const { metrics } = await session.send("Performance.getMetrics");
  return 1_000 * (metrics.find(({ name }) => name === "TaskDuration")?.value ?? Number.NaN);
};
await sim.locator(".sim-play").click();
const [before, seen] = [await taskMs(), await page.evaluate(framesSeen)];
await page.waitForTimeout(busy.forMs);
const [after, all] = [await taskMs(), await page.evaluate(framesSeen)];
const scriptMs = all.scriptMs.slice(seen.scriptMs.length).sort((a, b) => a - b);
const dots = all.dots.slice(seen.dots.length).sort((a, b) => a - b);
const at = (sorted: readonly number[], share: number) => sorted[Math.floor(sorted.length * share)] ?? 0;
console.log(`${scriptMs.length} frames, ${at(dots, 0.5)} dots in a frame (median, both worlds)`);
console.log(`script: median ${at(scriptMs, 0.5).toFixed(2)} ms, p95 ${at(scriptMs, 0.95).toFixed(2)} ms`);
console.log(`main thread: ${((after - before) / scriptMs.length).toFixed(2)} ms per frame (mean)`);

/** Runs in the page, before it: keeps the time of every frame's callback, and counts the arcs that it draws. */
function timeFrames(): void {
  const frames: { scriptMs: number[]; dots: number[] } = { scriptMs: [], dots: [] };
  let arcs = 0;
  const arc = CanvasRenderingContext2D.prototype.arc;
  CanvasRenderingContext2D.prototype.arc = function (...args) {
    arcs += 1;
    arc.apply(this, args);
  };
  const request = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (callback) =>
    request((nowMs) => {
      arcs = 0;
      const fromMs = performance.now();
      callback(nowMs);
      // Vue draws in a microtask of its own, which stands before this one.
      queueMicrotask(() => {
        frames.scriptMs.push(performance.now() - fromMs);
        frames.dots.push(arcs);
      });
    });
  Object.assign(window, { frames });
}

/** Runs in the page. */
function framesSeen(): Frames {
  return structuredClone((window as unknown as { frames: Frames }).frames);
}
