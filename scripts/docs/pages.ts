// Which pages the site has, as files.

import { join } from "node:path";
import { filesUnder } from "../stages.ts";

/** Markdown pages of the site, relative to the project, sorted. */
export function sitePages(root: string): string[] {
  return filesUnder(join(root, "site"))
    .filter(
      (file) => file.endsWith(".md") && !file.startsWith(".vitepress/") && !file.includes("node_modules/"),
    )
    .map((file) => `site/${file}`);
}
