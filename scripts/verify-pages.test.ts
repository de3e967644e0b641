// Each check turns red on a small tree with the fault that it is meant to find, and is green without it:
// the one of npm run verify that reads and runs the pages.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { findingsOf, linkPackages, type PlantedTree, plantTree } from "./planted-tree.ts";
import { check as pageCommands } from "./verify/page-commands.ts";

const settings = JSON.stringify({
  scripts: { hello: "node scripts/hello.ts", gone: "node scripts/gone.ts" },
});

describe("page-commands", () => {
  function plantPage(...lines: string[]): PlantedTree {
    return plantTree({
      "package.json": settings,
      "scripts/hello.ts": `console.log("hello on 127.0.0.1:" + (process.env["STAGE_PORT"] === "0" ? 4711 : 8080));\n`,
      "README.md": lines.join("\n"),
    });
  }

  test.each([
    [
      "an output that differs",
      ["```sh run", "npm run hello", "```", "", "```text", "good bye", "```"],
      "the output differs at line 1",
    ],
    ["a command that fails", ["```sh run", "exit 3", "```"], "ended with exit code 3 instead of 0:"],
    [
      "a command that should fail",
      ["```sh run exit=1", "true", "```"],
      "ended with exit code 0 instead of 1:",
    ],
    [
      "a failure in the middle",
      ["```sh run", "false", "true", "```"],
      "ended with exit code 1 instead of 0:",
    ],
    [
      "a script that is not there",
      ["Try `npm run nothing`."],
      "names npm run nothing, which package.json has not got",
    ],
    [
      "a script without its file",
      ["```sh", "npm run gone", "```"],
      "names npm run gone, but scripts/gone.ts does not exist",
    ],
    [
      "a path that is not there",
      ["```sh", "node stages/m1/src/main.ts", "```"],
      "names stages/m1/src/main.ts, which does not exist",
    ],
  ])("finds %s", async (_, lines, words) => {
    using tree = plantPage("# Page", ...lines);
    expect(await findingsOf(pageCommands, tree)).toEqual([expect.stringContaining(words)]);
  });

  test.each([
    [
      "a port that differs",
      ["```sh run", "npm run hello", "```", "", "```text", "hello on 127.0.0.1:8080", "```"],
    ],
    ["lines left out", ["```sh run", "printf '1\\n2\\n3\\n'", "```", "```text", "…", "3", "```"]],
    ["a failure that is promised", ["```sh run exit=1", "exit 1", "```"]],
    ["a block that is only shown", ["```sh", "exit 3", "```", "", "```text", "whatever", "```"]],
  ])("lets pass %s", async (_, lines) => {
    using tree = plantPage("# Page", ...lines);
    expect(await findingsOf(pageCommands, tree)).toEqual([]);
  });

  test("runs a block against a stack of its own and gives its addresses back as shown", async () => {
    using tree = plantPage(
      "```sh run with=m1",
      "curl -s -i -H 'X-Routing-Key: acme' http://127.0.0.1:8080/pay",
      "echo asked http://127.0.0.1:8080",
      "```",
      "",
      "```text",
      "HTTP/1.1 200 OK",
      "…",
      "X-Routed-To: tier1",
      "…",
      "asked http://127.0.0.1:8080",
      "```",
    );
    tree.copy("stages/m1");
    linkPackages(tree);
    const found = await findingsOf(pageCommands, tree);
    expect(found.filter((text) => text.startsWith("error README.md"))).toEqual([]);
    tree.write(
      "README.md",
      readFileSync(join(tree.root, "README.md"), "utf8").replace("To: tier1", "To: tier2"),
    );
    expect(await findingsOf(pageCommands, tree)).toContainEqual(
      expect.stringMatching(/^error README\.md:1: the output differs at line \d+$/),
    );
  });
});
