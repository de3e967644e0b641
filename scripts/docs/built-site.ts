// What must hold for the built site, whatever the pages say: links lead to pages that exist and anchors to places that
// exist, nothing is fetched from another machine, and the first page arrives quickly.

import { existsSync, readFileSync, statSync } from "node:fs";
import { join, posix } from "node:path";
import { gzipSync } from "node:zlib";
import { filesUnder } from "../stages.ts";

/** The first page with all that it loads before it can be used, compressed, in bytes. */
export const maxFirstPageBytes = 300_000;

export interface Validation {
  readonly faults: readonly string[];
  readonly summary: string;
}

export function builtSiteFolder(root: string): string {
  return join(root, "site", ".vitepress", "dist");
}

interface Page {
  /** Relative to the site's folder: `m1.html`. */
  readonly file: string;
  readonly ids: ReadonlySet<string>;
  readonly links: readonly string[];
  /** Addresses that the page loads when it is opened. */
  readonly loads: readonly string[];
}

/** @param base Path under which the site will stand, with a slash at both ends. */
export function validateBuiltSite(folder: string, base = "/"): Validation {
  if (!existsSync(folder))
    return { faults: [`${folder} does not exist: build the site first`], summary: "no site" };
  const files = filesUnder(folder);
  const pages = files.filter((file) => file.endsWith(".html")).map((file) => readPage(folder, file));
  const byFile = new Map(pages.map((page) => [page.file, page]));
  const known = new Set(files);
  const faults = pages.flatMap((page) => [
    ...page.links.flatMap((link) => linkFault(page, link, byFile, known, base) ?? []),
    ...page.loads.filter(isElsewhere).map((url) => `${page.file}: loads ${url} from another machine`),
  ]);
  const styles = files.filter((file) => file.endsWith(".css"));
  for (const file of styles) {
    const text = readFileSync(join(folder, file), "utf8");
    for (const [, url = ""] of text.matchAll(/url\(\s*["']?([^"')]+)/g))
      if (isElsewhere(url)) faults.push(`${file}: loads ${url} from another machine`);
  }
  const first = firstPageBytes(folder, byFile.get("index.html"), known, base);
  if (first > maxFirstPageBytes)
    faults.push(`the first page has ${kilobytes(first)}, more than ${kilobytes(maxFirstPageBytes)}`);
  const bytes = files.reduce((total, file) => total + statSync(join(folder, file)).size, 0);
  const links = pages.reduce((total, page) => total + page.links.length, 0);
  const summary = `${pages.length} pages, ${links} links, ${megabytes(bytes)}, first page ${kilobytes(first)}`;
  return { faults, summary };
}

/** What the first page costs: its HTML, and every script, style, font and image that it names, each compressed. */
function firstPageBytes(
  folder: string,
  page: Page | undefined,
  files: ReadonlySet<string>,
  base: string,
): number {
  if (page === undefined) return 0;
  const loaded = page.loads.map((url) => fileOf(posix.resolve(base, url.split(/[?#]/)[0] ?? ""), base));
  const own = new Set([page.file, ...loaded.filter((file) => file !== undefined && files.has(file))]);
  return [...own].reduce((sum, file) => sum + gzipSync(readFileSync(join(folder, file ?? ""))).length, 0);
}

function kilobytes(bytes: number): string {
  return `${Math.round(bytes / 1000)} kB`;
}

function readPage(folder: string, file: string): Page {
  const html = readFileSync(join(folder, file), "utf8");
  const attributes = (pattern: RegExp) =>
    [...html.matchAll(pattern)].map(([, value = ""]) => unescapeHtml(value));
  return {
    file,
    ids: new Set(attributes(/\sid="([^"]*)"/g)),
    links: attributes(/<a\s[^>]*?href="([^"]*)"/g),
    loads: [
      ...attributes(/<(?:script|img|iframe|source|video|audio)\s[^>]*?src="([^"]*)"/g),
      ...attributes(/<link\s[^>]*?href="([^"]*)"/g),
    ],
  };
}

function linkFault(
  page: Page,
  link: string,
  pages: ReadonlyMap<string, Page>,
  files: ReadonlySet<string>,
  base: string,
): string | undefined {
  if (/^[a-z][a-z\d+.-]*:/i.test(link) || link.startsWith("//")) return undefined;
  const [before = "", anchor] = link.split("#", 2);
  const path = before.split("?")[0] ?? "";
  const target = path === "" ? page.file : fileOf(posix.resolve(base + posix.dirname(page.file), path), base);
  if (target === undefined) return `${page.file}: the link ${link} leads out of the site`;
  const file = [target, `${target}.html`, posix.join(target, "index.html")].find((each) => files.has(each));
  if (file === undefined) return `${page.file}: the link ${link} leads to no page`;
  if (anchor === undefined || anchor === "") return undefined;
  const ids = pages.get(file)?.ids;
  if (ids?.has(decodeURIComponent(anchor))) return undefined;
  return `${page.file}: the link ${link} leads to a page without the anchor #${anchor}`;
}

/** Relative to the site's folder; undefined for what stands above it. */
function fileOf(path: string, base: string): string | undefined {
  if (`${path}/` === base) return "";
  return path.startsWith(base) ? path.slice(base.length) : undefined;
}

function isElsewhere(url: string): boolean {
  return /^(?:https?:)?\/\//.test(url);
}

function unescapeHtml(text: string): string {
  return text
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(2)} MB`;
}
