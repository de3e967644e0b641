// Every rung of m5's ladder, taken out for real: the router without it type-checks, starts and routes.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Lineup } from "../bench/lineup.ts";
import { rungContenders } from "../bench/rung-contenders.ts";
import { writeRung } from "../bench/rung-patch.ts";
import { rungs } from "../bench/rungs.ts";
import { linkPackages, plantTree } from "./planted-tree.ts";
import { runCompiler } from "./run-tool.ts";
import { projectRoot } from "./stages.ts";

describe.concurrent("m5 without one of its steps", () => {
  it("starts and routes, whichever step it is", async () => {
    await using lineup = new Lineup();
    const { signal } = new AbortController();
    for (const contender of rungContenders) {
      // It asks for every routing key.
      const running = await lineup.start(contender, { signal }).catch((error: unknown) => {
        throw new Error(`m5 without ${contender.name}`, { cause: error });
      });
      await running.stop();
    }
  });

  it("is type-correct, whichever step it is", async () => {
    const settings = JSON.parse(readFileSync(join(projectRoot, "tsconfig.json"), "utf8"));
    using tree = plantTree({ "tsconfig.json": JSON.stringify({ ...settings, include: ["*/src"] }) });
    linkPackages(tree);
    for (const rung of rungs) writeRung(rung, projectRoot, join(tree.root, rung.name));
    const { code, output } = await runCompiler(tree.root);
    expect(output).toBe("");
    expect(code).toBe(0);
  });
});
