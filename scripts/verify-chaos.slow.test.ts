// The check that runs chaos turns red on a router with a planted fault, and is green without it.

import { describe, expect, test } from "vitest";
import { findingsOf, linkPackages, plantTree } from "./planted-tree.ts";
import { check as chaos } from "./verify/chaos.ts";

describe("chaos", () => {
  test.each([
    ["none", []],
    ["dies-on-reset", ["error stages/m1: the router ended with exit code 7"]],
  ])("with the fault %j planted in a router finds %j", async (fault, findings) => {
    using tree = plantTree({
      "stages/m1/src/main.ts": `process.env["FAULT"] = "${fault}";\nawait import("../../../scripts/chaos/fake-router.ts");\n`,
    });
    for (const path of ["scripts", "shared", "package.json"]) tree.copy(path);
    linkPackages(tree);
    expect(await findingsOf(chaos, tree)).toEqual(findings);
  });
});
