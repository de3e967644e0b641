import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { UsageError } from "./command-line.ts";
import { type Group, mergedGroups, progressLines } from "./contract/progress.ts";
import { plantTree } from "./planted-tree.ts";
import type { PortedRun } from "./ported-contract.ts";
import { withResults } from "./ported-results-table.ts";
import {
  buildPorted,
  builtProgram,
  missingTool,
  type PortedRouter,
  portedNames,
  portedRouters,
  readPorted,
  readPortFlags,
} from "./ported-routers.ts";
import { projectRoot } from "./stages.ts";
import { check } from "./verify/ports.ts";

const plain: PortedRouter = {
  ...portedRouters.go,
  // What any machine has: `sh -c 'cp a.go TARGET/router-go'`.
  tool: "sh",
  build: (target) => ["-c", `cp a.go '${join(target, "router-go")}'`],
};

describe("a ported router", () => {
  test("is built once for each state of its sources", async () => {
    using planted = plantTree({ "ports/go/a.go": "one", "ports/go/README.md": "words" });
    const { root } = planted;
    const told: string[] = [];
    const build = () => buildPorted(plain, (line) => told.push(line), root);
    const first = await build();
    expect(await build()).toBe(first);
    planted.write("ports/go/README.md", "other words");
    expect(await build()).toBe(first);
    expect(told).toEqual(["building ports/go"]);
    planted.write("ports/go/a.go", "two");
    expect(builtProgram(plain, root)).toBeUndefined();
    expect(await build()).not.toBe(first);
    expect(told).toHaveLength(2);
    for (let n = 0; n < 5; n++) {
      planted.write("ports/go/a.go", `${n}`);
      expect(await build()).toBe(builtProgram(plain, root));
    }
    expect(readdirSync(join(root, ".cache/ports")).filter((name) => name.startsWith("router-"))).toHaveLength(
      4,
    );
  });

  test("whose tool is missing says in one line what it needs", async () => {
    using planted = plantTree({ "ports/go/a.go": "" });
    const missing = { ...plain, tool: "no-such-tool-here" };
    expect(await missingTool(missing)).toBe("no-such-tool-here");
    const building = buildPorted(missing, () => {}, planted.root);
    await expect(building).rejects.toThrow(UsageError);
    await expect(building).rejects.toThrow(
      /^--port go needs Go 1\.26 or later: no-such-tool-here is not installed[^\n]*$/,
    );
  });

  test("whose build folder has come from another path is built all the same", async () => {
    using planted = plantTree({ "ports/go/a.go": "" });
    const script = (target: string) =>
      `if [ -e "${target}/tried" ]; then echo > "${target}/router-go"; else touch "${target}/tried"; echo "CMake Error"; exit 1; fi`;
    const moved = { ...plain, build: (target: string) => ["-c", script(target)] };
    expect(await buildPorted(moved, () => {}, planted.root)).toBe(builtProgram(moved, planted.root));
  });

  test("that does not compile is quoted", async () => {
    using planted = plantTree({ "ports/go/a.go": "" });
    const broken = { ...plain, build: () => ["-c", "echo 'a.go:1: expected package'; exit 1"] };
    await expect(buildPorted(broken, () => {}, planted.root)).rejects.toThrow(/a\.go:1: expected package/);
  });
});

describe("--port", () => {
  test("takes a number, a name, or both", () => {
    expect(readPortFlags(undefined)).toEqual({ port: undefined, ported: undefined });
    expect(readPortFlags(["8180"])).toEqual({ port: "8180", ported: undefined });
    expect(readPortFlags(["pingora", "0"])).toEqual({ port: "0", ported: portedRouters.pingora });
  });

  test.each([[["rust"]], [["1", "2"]], [["go", "pingora"]]])("refuses %j", (flags) => {
    expect(() => readPortFlags(flags)).toThrow(UsageError);
  });

  test("names the milestones that a port can be", () => {
    expect(() => readPorted("go", "m3")).toThrow("--port go can be m1, m2, m4, and not m3");
    expect(readPorted("go", "m4")?.followsFile).toEqual(["m4"]);
  });
});

test("verify passes, and says so, where there are no ports", async () => {
  using planted = plantTree({ "README.md": "" });
  expect(await check.run(planted.root)).toEqual({ findings: [], looked: "no ports" });
});

describe("the README of a port", () => {
  const { runs } = JSON.parse(readFileSync(join(projectRoot, "site/data/ports.json"), "utf8")) as {
    readonly runs: readonly PortedRun[];
  };

  test.each(portedNames)("of %s has the results of the last run in it", (name) => {
    const readme = readFileSync(join(projectRoot, "ports", name, "README.md"), "utf8");
    expect(withResults(readme, name, runs)).toBe(readme);
  });

  test.each(portedNames)("of %s tells of no broken core case with its front", (name) => {
    const own = runs.filter((run) => run.port === name && run.front === "on");
    expect(own.map(({ grades }) => grades.core.failed)).toEqual(own.map(() => 0));
  });
});

describe("the progress of a port", () => {
  const cases = [
    { title: "routing > a", state: "passed", grade: "core" },
    { title: "routing > b", state: "failed", grade: "core" },
    { title: "streaming > c", state: "skipped", grade: "core" },
  ] as const;

  test("keeps what an earlier run found of the groups that this one left out", () => {
    const before: Group[] = [{ name: "streaming", cases: 1, passed: 1, failed: 0 }];
    expect(mergedGroups(cases, before)).toEqual([
      { name: "routing", cases: 2, passed: 1, failed: 1 },
      { name: "streaming", cases: 1, passed: 1, failed: 0 },
    ]);
  });

  test("forgets it when the group has other cases now", () => {
    const before: Group[] = [{ name: "streaming", cases: 7, passed: 7, failed: 0 }];
    expect(mergedGroups(cases, before)[1]).toEqual({ name: "streaming", cases: 1, passed: 0, failed: 0 });
  });

  test("names the next group", () => {
    const lines = progressLines(mergedGroups(cases, []));
    expect(lines.at(-1)).toBe('0 of 2 groups hold in full; next: --only "routing"');
  });
});
