// What has no place in a public tree: hosts of package registries, which a lock file or a CI file may bring in, and
// paths of the machine on which something was written, which exist nowhere else.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type CheckResult, error, type Finding } from "../check.ts";
import { runProgramFile } from "../run-tool.ts";

export const check = {
  name: "tracked-text",
  title: "No registry host and no machine path in the tree",
  order: 40,
  fast: true,
  run,
};

// Put together from pieces: otherwise this file would find itself.
const registryHosts = [
  "registry.npm" + "js",
  "registry.yarn" + "pkg",
  "deb.deb" + "ian.org",
  "npm" + "mirror",
];
const rules: readonly { readonly pattern: RegExp; readonly what: string }[] = [
  {
    pattern: new RegExp(registryHosts.map((host) => host.replaceAll(".", "\\.")).join("|")),
    what: "names the host of a package registry; leave the choice to the reader's own settings",
  },
  {
    pattern: /"resolved": "https?:/,
    what: "names a download address; npm leaves it out with omit-lockfile-registry-resolved=true",
  },
  {
    pattern: new RegExp(
      `(?<![\\w./:@-])/(${["wo" + "rk", "tm" + "p", "ro" + "ot", "ho" + "me/\\w+", "Us" + "ers/\\w+"].join("|")})(?![\\w-])`,
    ),
    what: "names a path of one machine; write it relative to the project, or ask the system for it",
  },
];

async function run(root: string): Promise<CheckResult> {
  const files = await publicFiles(root);
  const findings = files.flatMap((file) => faultsIn(root, file));
  return { findings, looked: `${files.length} files` };
}

/** Tracked files, and new ones that Git would take in. */
async function publicFiles(root: string): Promise<string[]> {
  const args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const { code, output } = await runProgramFile("git", args, { cwd: root });
  if (code !== 0) throw new Error(`git ls-files ended with exit code ${code}: ${output.trim()}`);
  return output.split("\0").filter((file) => file !== "" && existsSync(join(root, file)));
}

function faultsIn(root: string, file: string): Finding[] {
  const text = readFileSync(join(root, file), "utf8");
  if (text.includes("\0")) return [];
  return text
    .split("\n")
    .flatMap((line, index) =>
      rules
        .filter(({ pattern }) => pattern.test(line))
        .map(({ what }) => error(`${file}:${index + 1}`, `${what}\n${line.trim().slice(0, 160)}`)),
    );
}
