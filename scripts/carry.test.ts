// What `npm run carry` does with the copies of a file.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { carry } from "./carry.ts";
import { UsageError } from "./command-line.ts";
import { type PlantedTree, plantTree } from "./planted-tree.ts";

const lines = (...changes: readonly (readonly [number, string])[]): string => {
  const text = Array.from({ length: 12 }, (_, at) => `line ${at + 1}`);
  for (const [line, words] of changes) text[line - 1] = words;
  return `${text.join("\n")}\n`;
};

/** A project with one commit, in which m1's file has been changed since. */
function projectWith(copies: Readonly<Record<string, string>>): PlantedTree {
  const tree = plantTree({ "stages/m1/src/proxy.ts": lines(), ...copies });
  const git = (...words: string[]) =>
    execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@example.com", ...words], {
      cwd: tree.root,
    });
  git("init", "-q");
  git("add", "-A");
  git("commit", "-q", "-m", "first");
  tree.write("stages/m1/src/proxy.ts", lines([2, "mended"]));
  return tree;
}

describe("carry", () => {
  test("changes copies, merges into files that have gone on, and names those where the change does not fit", async () => {
    using tree = projectWith({
      "stages/m2/src/proxy.ts": lines(),
      "stages/m3/src/proxy.ts": lines([11, "of m3"]),
      "stages/m4/src/proxy.ts": lines([2, "rewritten"]),
      "stages/m5/src/other.ts": "",
      "solutions/m1/01-a/proxy.ts": lines(),
      "solutions/m1/01-a/wrong/other.ts": "",
      "exercises/m3/02-b/starter/proxy.ts": lines([10, "of m3"]),
    });
    expect(await carry("proxy.ts", "m1", "HEAD", tree.root)).toEqual([
      { path: "stages/m2/src/proxy.ts", result: "changed" },
      { path: "stages/m3/src/proxy.ts", result: "changed" },
      { path: "stages/m4/src/proxy.ts", result: "does not fit" },
      { path: "exercises/m3/02-b/starter/proxy.ts", result: "changed" },
      { path: "solutions/m1/01-a/proxy.ts", result: "changed" },
    ]);
    const read = (path: string) => readFileSync(join(tree.root, path), "utf8");
    expect(read("stages/m2/src/proxy.ts")).toBe(lines([2, "mended"]));
    expect(read("stages/m3/src/proxy.ts")).toBe(lines([2, "mended"], [11, "of m3"]));
    expect(read("stages/m4/src/proxy.ts")).toBe(lines([2, "rewritten"]));
    const again = await carry("proxy.ts", "m1", "HEAD", tree.root);
    expect(again.map(({ result }) => result)).toEqual([
      "same already",
      "same already",
      "does not fit",
      "same already",
      "same already",
    ]);
  });

  test("says why there is nothing to carry", async () => {
    using tree = projectWith({});
    tree.write("stages/m1/src/proxy.ts", lines());
    const carried = (name: string, since = "HEAD") => carry(name, "m1", since, tree.root);
    await expect(carried("proxy.ts")).rejects.toThrow(/is as it was in HEAD/);
    await expect(carried("nothing.ts")).rejects.toThrow(/m1 has no file "nothing.ts"/);
    await expect(carried("proxy.ts", "no-commit")).rejects.toThrow(UsageError);
  });
});
