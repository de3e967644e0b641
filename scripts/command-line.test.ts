// What every command shares: colours, busy ports, its place in package.json.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { colours } from "./command-line.ts";
import { plantTree } from "./planted-tree.ts";
import { firstBusyPort, portHolder } from "./ports.ts";
import { planStack, portNeeds } from "./stack-plan.ts";
import { presentStages, stageFolder } from "./stages.ts";

describe("colours", () => {
  const red = (stream: { isTTY?: boolean }, env: Record<string, string>) =>
    colours(stream, env).red("x") !== "x";

  test.each([
    [{ isTTY: true }, {}, true],
    [{ isTTY: true }, { NO_COLOR: "1" }, false],
    [{ isTTY: true }, { NO_COLOR: "" }, true],
    [{ isTTY: true }, { TERM: "dumb" }, false],
    [{}, {}, false],
    [{}, { CI: "true" }, false],
    [{}, { FORCE_COLOR: "1" }, true],
    [{}, { FORCE_COLOR: "0" }, false],
    [{}, { FORCE_COLOR: "1", NO_COLOR: "1" }, false],
  ])("for %j with %j: %s", (stream, env, expected) => {
    expect(red(stream, env)).toBe(expected);
  });
});

describe("ports", () => {
  test("finds the one that is busy, and who holds it", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const needs = [
      { port: 0, name: "any" },
      { port, name: "router" },
    ];
    expect(await firstBusyPort(needs)).toEqual({ port, name: "router" });
    if (process.platform === "linux") expect(portHolder(port)).toContain(`pid ${process.pid} (`);
    server.close();
    await once(server, "close");
    expect(await firstBusyPort(needs)).toBeUndefined();
    expect(portHolder(port)).toBeUndefined();
  });

  test.runIf(process.platform === "linux")(
    "tells who holds one in one line, whatever its words are",
    async () => {
      const program =
        'const s = require("node:net").createServer();\ns.listen(0, "127.0.0.1",\n() => console.log(s.address().port));';
      const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
      try {
        const [said] = await once(child.stdout, "data");
        expect(portHolder(Number(said))).toMatch(/^pid \d+ \(.*createServer\(\); s\.listen.*\)$/);
      } finally {
        child.kill();
        await once(child, "exit");
      }
    },
  );

  test("of a stack keep their distances, and are all free ones for 0", () => {
    const plan = (port: number) =>
      planStack({ stage: "m1", port, routers: 1, stageFolder: stageFolder("m1") });
    const portsAt = (port: number) => portNeeds(plan(port), "m1").map((need) => need.port);
    expect(portsAt(8080)).toEqual([8080, 9004, 9001, 9002, 9003]);
    expect(portsAt(8180)).toEqual([8180, 9104, 9101, 9102, 9103]);
    expect(portsAt(0)).toEqual([0, 0, 0, 0, 0]);
  });

  test("of a stack are different ones, in every stage, with ten routers", () => {
    for (const stage of presentStages()) {
      const routers = stage === "m1" || stage === "m2" ? 1 : 10;
      const plan = planStack({ stage, port: 8080, routers, stageFolder: stageFolder(stage) });
      const ports = portNeeds(plan, stage).map((need) => need.port);
      expect(new Set(ports).size).toBe(ports.length);
    }
  });
});

test("every command of package.json that has a file has it in scripts/, with its usage on top", () => {
  using tree = plantTree();
  tree.copy("package.json");
  const { scripts } = JSON.parse(readFileSync(join(tree.root, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  for (const name of ["stage", "diff", "verify"]) {
    expect(scripts[name]).toBe(`tsx scripts/${name}.ts`);
    tree.copy(`scripts/${name}.ts`);
    expect(readFileSync(join(tree.root, `scripts/${name}.ts`), "utf8")).toMatch(
      new RegExp(`^// [^\n]+\n//\n//   npm run ${name} `),
    );
  }
});

test("a script ends without a word when nobody reads its output any more", async () => {
  const url = new URL("./command-line.ts", import.meta.url).href;
  const script = `
    import { runProgram } from ${JSON.stringify(url)};
    await runProgram("talker", async () => {
      for (;;) {
        console.log("a line");
        await new Promise(setImmediate);
      }
    });`;
  const args = ["--input-type=module", "-e", script];
  const talker = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let words = "";
  talker.stderr.setEncoding("utf8").on("data", (text: string) => {
    words += text;
  });
  await once(talker.stdout, "data");
  talker.stdout.destroy();
  const [code] = await once(talker, "close");
  expect({ code, words }).toEqual({ code: 1, words: "" });
});
