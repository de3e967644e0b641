// Draws the picture that other sites show beside a link to this one: npx tsx scripts/docs/social-card.ts
// They take no SVG, so a browser turns site/.vitepress/card.svg into site/public/card.png. The PNG is kept in the tree: a build needs
// no browser.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { takeNoArguments } from "../../shared/testkit/no-arguments.ts";
import { findBrowser, howToGetBrowser, launchBrowser } from "./browser.ts";
import { cardSize } from "./page-head.ts";

takeNoArguments(`Usage: npx tsx scripts/docs/social-card.ts
  Draws site/public/card.png from site/.vitepress/card.svg`);

const site = fileURLToPath(new URL("../../site", import.meta.url));
const program = findBrowser();
if (program === undefined) throw new Error(howToGetBrowser);
await using browser = await launchBrowser(program);
const page = await browser.newPage({ viewport: cardSize });
const svg = readFileSync(join(site, ".vitepress/card.svg"), "utf8");
await page.setContent(`<body style="margin:0">${svg}</body>`);
await page.screenshot({ path: join(site, "public/card.png") });
