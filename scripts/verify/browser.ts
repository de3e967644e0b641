// The built site in a real browser: every page, both colour schemes, a phone's width, and what can be done there.

import { type CheckResult, error, warning } from "../check.ts";
import { findBrowser, howToGetBrowser, launchBrowser } from "../docs/browser.ts";
import { checkExerciseUse } from "../docs/browser-exercise-use.ts";
import { checkExercises } from "../docs/browser-exercises.ts";
import { checkLivePanel } from "../docs/browser-live.ts";
import { checkMotion } from "../docs/browser-motion.ts";
import { checkPages } from "../docs/browser-pages.ts";
import { checkUse } from "../docs/browser-use.ts";
import { buildSite } from "../docs/build.ts";
import { builtSiteFolder } from "../docs/built-site.ts";
import { serveFolder } from "../docs/static-server.ts";

export const check = {
  name: "browser",
  title: "The site works in a browser: no errors, no requests elsewhere, accessible, by keyboard",
  order: 95,
  run,
};

async function run(root: string): Promise<CheckResult> {
  const program = findBrowser();
  if (program === undefined) {
    return {
      looked: "skipped: no browser",
      findings: [warning("browser tests", `skipped; ${howToGetBrowser}`)],
    };
  }
  const built = await buildSite(root);
  if (!built.ok) return { looked: "the site does not build", findings: [error("site", built.output)] };
  await using server = await serveFolder(builtSiteFolder(root));
  await using browser = await launchBrowser(program);
  const outcomes = await Promise.all([
    checkPages(browser, server.url, builtSiteFolder(root)),
    checkUse(browser, server.url),
    checkMotion(browser, server.url),
    checkLivePanel(browser, server.url, root),
    checkExerciseUse(browser, server.url, root),
    checkExercises(browser, server.url, root, false),
  ]);
  return {
    looked: outcomes.map(({ looked }) => looked).join("; "),
    findings: outcomes.flatMap(({ faults }) => faults).map((fault) => error("site", fault)),
  };
}
