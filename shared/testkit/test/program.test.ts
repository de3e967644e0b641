import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { eventually } from "../eventually.ts";
import { failOnLeaks } from "../leak-check.ts";
import { Program, type ProgramOptions, StartError } from "../program.ts";
import { residentBytes } from "../resident-memory.ts";

failOnLeaks();

const ready = `console.log(JSON.stringify({ event: "ready", url: "http://127.0.0.1:1/", more: 2 }));`;
const stays = `setInterval(() => {}, 1000);`;

function start(script: string, options: Partial<ProgramOptions> = {}): Program {
  return new Program({ name: "the program", command: process.execPath, args: ["-e", script], ...options });
}

test("is ready when it says so, among other lines", async () => {
  const lines: string[] = [];
  await using program = start(`console.log("first"); ${ready} ${stays}`, {
    onLine: (line) => lines.push(line),
  });
  expect(await program.ready()).toEqual({ event: "ready", url: "http://127.0.0.1:1/", more: 2 });
  expect(program.url).toBe("http://127.0.0.1:1");
  expect(lines[0]).toBe("first");
  expect([program.hasEnded, program.howItEnded()]).toEqual([false, undefined]);
});

test("tells how it ended before it was ready, with its last lines", async () => {
  await using program = start(`console.log("out"); console.error("of luck"); process.exitCode = 3;`);
  const error = await program.ready().catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(StartError);
  expect((error as StartError).message).toBe("the program ended with exit code 3 before its READY line");
  expect([...(error as StartError).output].sort()).toEqual(["of luck", "out"]);
  expect(program.howItEnded()).toBe("ended with exit code 3");
});

test("tells that it said nothing, and that it cannot be started at all", async () => {
  await using silent = start(stays);
  await expect(silent.ready(200)).rejects.toThrow("the program printed no READY line within 200 ms");
  await using missing = start("", { command: "/nowhere/at/all" });
  await expect(missing.ready()).rejects.toThrow(/^the program could not be started: .*ENOENT$/);
  expect(await missing.stop()).toEqual({ code: null, signal: null });
});

test("writes to files where that is asked for, and finds the READY line there", async () => {
  const folder = await mkdtemp(join(tmpdir(), "program-"));
  const files = { stdout: join(folder, "out"), stderr: join(folder, "err") };
  try {
    await using program = start(`console.error("a word"); ${ready} ${stays}`, { files });
    await program.ready();
    expect(await readFile(files.stdout, "utf8")).toContain(`"more":2`);
    expect(program.lastLines()).toContain("a word");
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("ends at the signal, or by force where it does not", async () => {
  await using polite = start(`process.on("SIGTERM", () => process.exit(5)); ${ready} ${stays}`);
  await polite.ready();
  expect(await polite.stop()).toEqual({ code: 5, signal: null });
  await using stubborn = start(`process.on("SIGTERM", () => {}); ${ready} ${stays}`);
  await stubborn.ready();
  expect(await stubborn.stop("SIGTERM", 200)).toEqual({ code: null, signal: "SIGKILL" });
  expect(stubborn.howItEnded()).toBe("ended with SIGKILL");
});

test.each(["", ", detached: true"])(
  "takes what it has started along, as the leader of a group%s",
  async (options) => {
    const child = `require("node:child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "inherit"${options} })`;
    const script = `const { pid } = ${child}; console.log(JSON.stringify({ event: "ready", pid })); ${stays}`;
    await using program = start(script, { ownGroup: true });
    const { pid } = await program.ready();
    await program.kill();
    // A process whose end nobody has asked about keeps its id, and holds no memory.
    await eventually(() => residentBytes(Number(pid)) === null, { what: "the child has ended" });
  },
);
