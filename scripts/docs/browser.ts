// A real browser for the site's checks: the system's Chromium with an empty profile, driven by playwright-core, which
// brings no browser of its own.

import { type Browser, chromium } from "playwright-core";
import { which } from "zx";

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
  const found = (named === undefined ? names : [named]).map((name) =>
    which.sync(name, { path, nothrow: true }),
  );
  return found.find((program) => program !== null);
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
