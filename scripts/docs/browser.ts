// A real browser for the site's checks: the system's Chromium with an empty profile, driven by playwright-core, which
// brings no browser of its own.

import { accessSync, constants } from "node:fs";
import { delimiter, resolve } from "node:path";
import { type Browser, chromium } from "playwright-core";

const names = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/** How to get what `findBrowser` looks for. */
export const howToGetBrowser =
  "install Chromium (Debian and Ubuntu: apt-get install chromium), or set CHROMIUM to the path of one";

/** Path of a Chromium, or undefined. */
export function findBrowser(
  env: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  const named = env["CHROMIUM"];
  const path = env["PATH"] ?? "";
  const folders = path.split(delimiter).filter((folder) => folder !== "");
  // A path is itself; a name is looked for in each folder, as a shell does.
  const candidates = (named === undefined ? names : [named]).flatMap((name) =>
    name.includes("/") ? [name] : folders.map((folder) => resolve(folder, name)),
  );
  return candidates.find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Playwright gives each browser a new, empty profile, and removes it. */
export function launchBrowser(executablePath: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}
