// Builds the site for a check, and only when what it is made of has changed since it was built.

import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { packageFile, runNode } from "../run-tool.ts";
import { filesUnder } from "../stages.ts";
import { builtSiteFolder } from "./built-site.ts";

/** What a page is made of. */
const sources = ["site", "stages", "exercises", "solutions", "shared/contract", "scripts"];

export type BuildResult = { readonly ok: true } | { readonly ok: false; readonly output: string };

/** @param always Builds whatever the files' times say. */
export async function buildSite(root: string, always = false): Promise<BuildResult> {
  if (!always && isFresh(root)) return { ok: true };
  const { code, output } = await runNode(packageFile("vitepress/bin/vitepress.js"), ["build", "site"], {
    cwd: root,
    env: { DOCS_BASE: "/" },
    timeoutMs: 300_000,
  });
  if (code === 0) return { ok: true };
  // The stack that follows says where in VitePress, which helps nobody.
  const error = /build error:\n([\s\S]*?)(?:\n\s+at |$)/.exec(output)?.[1];
  return { ok: false, output: error ?? output.trim().slice(-2_000) };
}

function isFresh(root: string): boolean {
  const index = join(builtSiteFolder(root), "index.html");
  if (!existsSync(index)) return false;
  // One that was built to stand under a path of its host, as DOCS_BASE has it, finds nothing of its own here.
  if (!readFileSync(index, "utf8").includes('href="/assets/')) return false;
  const builtMs = statSync(index).mtimeMs;
  return sources.every((folder) =>
    filesUnder(join(root, folder))
      .filter((file) => !/(?:^|\/)(?:dist|cache|node_modules)\//.test(file))
      .every((file) => statSync(join(root, folder, file)).mtimeMs < builtMs),
  );
}
