// `npm run verify` as a program: its list, its summary, its exit codes. The checks have tests of their own.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { eventually } from "../shared/testkit/eventually.ts";
import { isRunning } from "../shared/testkit/process-by-port.ts";
import { loadChecks } from "./check.ts";
import { linkPackages, plantTree } from "./planted-tree.ts";
import { runNode } from "./run-tool.ts";
import { projectRoot } from "./stages.ts";

describe("npm run verify", () => {
  const script = join(projectRoot, "scripts/verify.ts");
  const verify = (...args: string[]) => runNode(script, args, { cwd: projectRoot });

  test("names its checks in the order in which they run", async () => {
    const { code, output } = await verify("--list");
    const names = (await loadChecks(join(projectRoot, "scripts/verify"))).map((check) => check.name);
    expect(
      output
        .trim()
        .split("\n")
        .map((line) => line.split(" ")[0]),
    ).toEqual(names);
    expect(names[0]).toBe("typecheck");
    expect(code).toBe(0);
  });

  test("runs one check and ends with the count", async () => {
    const { code, output } = await verify("--only", "file-sizes");
    expect(output).toMatch(/^pass +file-sizes /m);
    expect(output.trim().split("\n").at(-1)).toBe("1 passed, 0 failed");
    expect(code).toBe(0);
  });

  test("turns red with exit code 1, and 2 when a check cannot run", async () => {
    using tree = plantTree();
    for (const path of ["scripts", "package.json"]) tree.copy(path);
    linkPackages(tree);
    mkdirSync(join(tree.root, "stages"));
    const run = (...only: string[]) =>
      runNode(
        join(tree.root, "scripts/verify.ts"),
        only.flatMap((name) => ["--only", name]),
        { cwd: tree.root },
      );
    tree.write(
      "scripts/verify/planted.ts",
      plantedCheck(
        `return { findings: [{ level: "error", where: "a.ts:1", what: "is wrong" }], looked: "1 file" };`,
      ),
    );
    const red = await run("planted", "file-sizes");
    expect(red.output).toMatch(/^FAIL {3}planted .*\n +error a\.ts:1\n +is wrong\npass /m);
    expect(red.output.trim().split("\n").at(-1)).toBe("1 passed, 1 failed");
    expect(red.code).toBe(1);
    tree.write("scripts/verify/planted.ts", plantedCheck(`throw new Error("no such tool");`));
    const broken = await run("planted");
    expect(broken.output).toContain("BROKEN planted");
    expect(broken.output).toContain("no such tool");
    expect(broken.code).toBe(2);
  });

  test("runs the other checks when one cannot be loaded", async () => {
    using tree = plantTree();
    for (const path of ["scripts", "package.json"]) tree.copy(path);
    linkPackages(tree);
    tree.write("scripts/verify/planted.ts", `import "./nowhere.ts";\n`);
    const { code, output } = await runNode(
      join(tree.root, "scripts/verify.ts"),
      ["--only", "planted", "--only", "file-sizes"],
      { cwd: tree.root },
    );
    expect(output).toContain("BROKEN planted");
    expect(output).toMatch(/^pass +file-sizes/m);
    expect(output.trim().split("\n").at(-1)).toBe("1 passed, 1 failed");
    expect(code).toBe(2);
  });

  test("ends what it started when it is interrupted", async () => {
    using tree = plantTree();
    for (const path of ["scripts", "package.json"]) tree.copy(path);
    linkPackages(tree);
    tree.write("sleeper.mjs", `console.log(process.pid); setInterval(() => {}, 1000);`);
    // The check tells the process id through a file, because a check has no output of its own while it runs.
    tree.write(
      "scripts/verify/planted.ts",
      `import { runProgramFile } from "../run-tool.ts";\n${plantedCheck(
        `await runProgramFile("sh", ["-c", "exec node sleeper.mjs > pid"], { cwd: root });`,
      )}`,
    );
    const child = spawn(process.execPath, ["scripts/verify.ts", "--only", "planted"], { cwd: tree.root });
    const pidFile = join(tree.root, "pid");
    const pid = await eventually(() => Number(readFileSync(pidFile, "utf8")), {
      what: "pid",
      deadlineMs: 20_000,
    });
    child.kill("SIGINT");
    await once(child, "exit");
    await eventually(() => !isRunning(pid), { what: "the tool is gone" });
  });

  function plantedCheck(body: string): string {
    return `export const check = { name: "planted", title: "Nothing is planted", order: 1, run: async (root) => { ${body} } };\n`;
  }
});
