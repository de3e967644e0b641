// Every command with every wrong argument: one line that names the flag, what it got, and what would be right; exit code 1.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readBounded, readSmallFile } from "./bounded-file.ts";
import { findTokens } from "./ctl/token.ts";
import { linkPackages, plantTree } from "./planted-tree.ts";
import { runNode } from "./run-tool.ts";
import { projectRoot } from "./stages.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "cell-routing-arguments-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Case = readonly [
  command: string,
  args: readonly string[],
  words: string | RegExp,
  env?: Record<string, string>,
];

const cases: readonly Case[] = [
  ["stage", ["m1", "--port", "-1"], '--port takes a number, or one of pingora, go; got "-1"'],
  ["stage", ["m1", "--port", "65536"], '--port takes a whole number from 0 to 65535; got "65536"'],
  ["stage", ["m1"], 'STAGE_PORT takes a whole number from 0 to 65535; got "x"', { STAGE_PORT: "x" }],
  ["stage", ["m3", "--routers", "eleven"], '--routers takes a whole number from 1 to 10; got "eleven"'],
  ["stage", ["m1", "--demo=yes"], "--demo takes no value"],
  ["stage", ["m1", "--overlay", "/dev/null"], "no TypeScript file to lay over m1 in"],
  ["stage", ["m1", "--overlay"], "--overlay needs a value"],
  ["stage", ["m9"], 'stage: unknown stage "m9": one of m1'],
  ["stage", [], "stage: name a stage: one of m1"],
  ["stage", ["m1", "m2"], 'stage: name one stage, not "m1 m2"'],
  ["stage", ["m1", "--colour"], "stage: unknown flag --colour: one of --demo"],
  ["stage", ["m1", "--port", "eighty"], '--port takes a number, or one of pingora, go; got "eighty"'],
  ["stage", ["m3", "--port", "go"], "stage: --port go can be m1, m2, m4, and not m3"],
  ["stage", ["m1", "--port", "go", "--test"], "stage: --test does not go with --port go"],
  ["stage", ["m1", "--port", "65000"], "stage: --port 65000 puts a cell on port 65924"],
  ["stage", ["m1", "--routers", "3"], "stage: --routers needs m3 or later"],
  ["stage", ["m1", "--overlay", "no-such"], "stage: there is no folder no-such"],
  [
    "../graduation/etcd/measure",
    ["--writes", "x"],
    '--writes takes a whole number from 1 to 1000000; got "x"',
  ],
  ["../graduation/etcd/measure", ["5"], 'measure: unknown word "5": measure takes flags only'],
  ["contract", [], "name a contract and a router, as in: npm run contract -- m1 http://127.0.0.1:8080"],
  ["contract", ["m9", "http://127.0.0.1:1"], 'unknown contract "m9": one of m1'],
  ["contract", ["m1", "127.0.0.1:1"], `write the router's URL as http://host:port; got "127.0.0.1:1"`],
  [
    "contract",
    ["m1", "http://127.0.0.1:1", "--admin", "here"],
    'write --admin as http://host:port; got "here"',
  ],
  [
    "contract",
    ["m1", "http://127.0.0.1:1", "--ports", "visa=-1"],
    /--ports: Write each port as name=number .*"visa=-1"/,
  ],
  ["contract", ["m1"], "name one router: its URL, or --start and the command of a program"],
  ["contract", ["m1", "--start", "x", "--ports", "visa=1"], "--ports is for a router that is up already"],
  ["contract", ["m1", "http://127.0.0.1:1", "--start", "x"], "name one router: its URL, or --start"],
  ["contract", ["m3", "http://127.0.0.1:1"], /m3 .*use --start COMMAND/],
  ["contract", ["m4", "http://127.0.0.1:1"], "the contract of m4 needs the admin port"],
  ["contract", ["m1", "http://127.0.0.1:1", "--allow", "core"], "--allow takes form, policy or both"],
  ["contract", ["m1", "--progress"], "--progress needs --start"],
  ["chaos", ["--seconds", "0"], '--seconds takes a whole number from 1 to 86400; got "0"'],
  ["chaos", ["--seconds", "soon"], '--seconds takes a whole number from 1 to 86400; got "soon"'],
  ["chaos", ["--stage", "m4", "--start", "x"], "name one router"],
  ["chaos", ["--only", "connect", "--without", "connect"], "no kind of client is left"],
  ["chaos", ["--replay", "nowhere"], /--replay takes SEED:N.*"nowhere" is none/],
  ["chaos", ["--replay", "7:1", "--seed", "3"], "leave --seed out"],
  ["chaos", ["--replay", "7:1x9999"], '--replay SEED:NxT takes a whole number from 1 to 1000; got "9999"'],
  ["chaos", ["--replay", "package.json"], '"package.json" is none: it holds no seed and sequence'],
  ["chaos", ["--env", "WORKERS"], '--env takes NAME=VALUE; got "WORKERS"'],
  ["chaos", ["--ports", "visa=1"], "--ports goes with --router"],
  ["chaos", ["--seed", "-1"], '--seed takes a whole number from 0 to 4294967295; got "-1"'],
  ["chaos", ["--clients", "many"], '--clients takes a whole number from 1 to 1000; got "many"'],
  ["chaos", ["--stage", "m9"], 'unknown stage "m9": one of m1'],
  ["chaos", ["--only", "rude"], '--only: unknown kind of client "rude": one of one-request'],
  ["chaos", ["--replay", "/dev/zero"], "--replay takes SEED:N"],
  ["chaos", ["--router", "here"], 'write --router as http://host:port; got "here"'],
  ["chaos", ["m4"], 'unknown word "m4": chaos takes flags only'],
  ["gameday", ["--minutes", "-1"], '--minutes takes a number from 0.2 to 60; got "-1"'],
  ["gameday", ["--minutes", "soon"], '--minutes takes a number from 0.2 to 60; got "soon"'],
  ["gameday", ["--seed", "1.5"], '--seed takes a whole number from 0 to 4294967295; got "1.5"'],
  ["gameday", ["--stage", "m3"], "--stage takes m4 or later"],
  ["gameday", ["--stage", "m9"], 'unknown stage "m9": one of m1'],
  ["gameday", ["now"], 'unknown word "now": gameday takes flags only'],
  ["fuzz", ["--messages", "-5"], '--messages takes a whole number from 1 to 1000000000; got "-5"'],
  ["fuzz", ["--messages", "0"], '--messages takes a whole number from 1 to 1000000000; got "0"'],
  ["fuzz", ["--messages", "1e9"], '--messages takes a whole number from 1 to 1000000000; got "1e9"'],
  ["fuzz", ["--minutes", "0"], '--minutes takes a whole number from 1 to 10000; got "0"'],
  ["fuzz", ["--seed", "-1"], '--seed takes a whole number from 0 to 4294967295; got "-1"'],
  ["fuzz", ["--case", "first"], '--case takes a whole number from 0 to 4294967295; got "first"'],
  ["fuzz", ["--messages", "5", "--minutes", "5"], "give one of them"],
  ["fuzz", ["--message", "5"], "unknown flag --message: one of --messages, --minutes"],
  ["exercise", ["hint", "--number", "-1"], '--number takes a whole number from 1 to 99; got "-1"'],
  ["exercise", ["hint", "--number", "two"], '--number takes a whole number from 1 to 99; got "two"'],
  ["exercise", ["check", "m9/01"], 'There is no exercise "m9/01"'],
  ["exercise", ["list", "--jsn"], "unknown flag --jsn: one of --json, --number"],
  ["diff", ["m1", "m9"], 'diff: unknown stage "m9": one of m1, m2, m3'],
  ["diff", ["m2", "m1"], "diff: name the older stage first: m1 is not after m2"],
  ["diff", ["m1", "m2", "--file"], "diff: --file needs a value: see --help"],
  ["diff", ["m1"], "name two stages, as in: npm run diff m1 m2"],
  ["diff", ["m1", "m2", "--file", "no.ts"], 'neither m1 nor m2 has a file "no.ts"'],
  ["docs", ["--port", "0"], '--port takes a whole number from 1 to 65535; got "0"'],
  ["docs", ["--port", "-80"], '--port takes a whole number from 1 to 65535; got "-80"'],
  ["docs", ["m1"], 'unknown word "m1": docs takes flags only'],
  ["ctl", ["got"], 'unknown verb "got": one of get, set'],
  ["ctl", ["set", "acme"], "write: npm run ctl set KEY PLACEMENT"],
  [
    "ctl",
    ["get", "--url", "here"],
    'write --url, the control plane\'s address, as http://host:port; got "here"',
  ],
  ["ctl", ["get", "--url", "ftp://x"], "http://host:port"],
  ["ctl", ["get", "--loud"], "unknown flag --loud"],
  ["ctl", ["get"], /write CONTROL_PLANE_URL, .* got "here"/, { CONTROL_PLANE_URL: "here" }],
  ["ctl", ["put", "/no/table.json", "--url", "http://127.0.0.1:1"], "cannot read /no/table.json: ENOENT"],
  [
    "ctl",
    ["put", "/dev/zero", "--url", "http://127.0.0.1:1"],
    "cannot read /dev/zero: larger than 33554432 bytes",
  ],
  ["verify", ["--all"], "verify: unknown flag --all: one of --only"],
  ["verify", ["--only", "lnit"], 'unknown check "lnit": one of'],
  ["verify", ["--stage", "m9"], 'unknown stage "m9": one of m1'],
  ["verify", ["--fast", "--only", "isolation"], "--fast leaves nothing of --only isolation"],
  ["carry", [], "name a file and its stage, as in: npm run carry proxy.ts m1"],
  ["carry", ["nothing.ts", "m1"], 'm1 has no file "nothing.ts"'],
  ["verify", ["lint"], 'unknown word "lint": name a check with --only'],
  ["docs/exercise-proof", ["m9"], 'exercise-proof: no exercise begins with "m9"'],
  ["schema", ["m2"], 'unknown word "m2": schema takes flags only'],
  ["bench", ["dance"], 'unknown command "dance": one of compare'],
  ["bench", ["--rounds", "-1"], '--rounds takes a whole number from 1 to 100; got "-1"'],
  ["bench", ["--seconds", "0"], '--seconds takes a whole number from 1 to 60; got "0"'],
  ["bench", ["--warm-up", "1e1"], '--warm-up takes a whole number from 0 to 60; got "1e1"'],
  ["bench", ["--connections", "9999"], '--connections takes a whole number from 1 to 4096; got "9999"'],
  ["bench", ["--rate", ""], '--rate takes a whole number from 1 to 1000000; got ""'],
  ["bench", ["--only", "m0"], 'No contender "m0"; there are: m1'],
  ["bench", ["rungs", "--only", "m1"], 'No contender "m1"; there are: '],
  ["bench", ["--name", "../etc"], '--name takes letters, digits, ".", "-", "_", not "../etc"'],
  ["bench", ["--also", "mine"], '--also takes NAME=FILE; got "mine"'],
  ["bench", ["--also", "mine=/no/file.ts"], '--also takes NAME=FILE; there is no file "/no/file.ts"'],
  [
    "bench",
    ["--out", "/no/folder/file"],
    '--out takes a file in a folder that is there; got "/no/folder/file"',
  ],
  ["bench", ["profile"], "profile takes the name of one contender"],
  ["bench", ["fleet", "--stage", "m4"], '--stage takes m3 or m5; got "m4"'],
  ["bench", ["compare", "m1"], 'unknown word "m1": name contenders with --only'],
  ["bench", ["profile", "m1", "m2"], 'unknown word "m2": name contenders with --only'],
  ["stage", ["m1", "--test", "--demo"], "--test does not go with --demo"],
  ["bench", ["--speed"], "unknown flag --speed: one of --only"],
  ["bench", ["fleet", "--routers", "-1"], '--routers takes a whole number from 1 to 10000; got "-1"'],
  ["bench", ["fleet", "--keys", "10,x"], '--keys takes a whole number from 1 to 200000; got "x"'],
  ["bench", ["fleet", "m3"], 'unknown word "m3": fleet takes flags only'],
];

describe("a wrong argument takes one line and exit code 1", () => {
  test.concurrent.for(cases)("%s %j", async ([command, args, words, env = {}]) => {
    const script = join(projectRoot, "scripts", `${command}.ts`);
    const { code, output } = await runNode(script, args, { cwd: projectRoot, env });
    if (typeof words === "string") expect(output).toContain(words);
    else expect(output).toMatch(words);
    expect(output.trim().split("\n")).toHaveLength(1);
    expect(code).toBe(1);
  });
});

describe("a wrong argument of exercise changes nothing", () => {
  const wrong: readonly (readonly [args: readonly string[], words: string])[] = [
    [["hint", "m1/01", "--number", "99"], "There is no hint 99: this exercise has"],
    [["check", "m1/01", "--number", "1"], "--number goes with hint only"],
    [["m1/01", "--number", "1"], "--number goes with hint only"],
    [["m1/01", "m1/02"], 'unknown verb "m1/01": one of list, next, check'],
    [["chek", "m1/01"], 'unknown verb "chek": one of list, next, check'],
    [["next", "m1/01"], "next takes no ID; to open an exercise: npm run exercise m1/01"],
    [["list", "m1/01"], "list takes no ID"],
    [["run", "m1/01", "--port", "eighty"], '--port takes a whole number from 0 to 65535; got "eighty"'],
    [["run", "m1/01", "--port", "65000"], "--port 65000 puts a cell on port 65924"],
    [["run", "m1/01", "--routers", "0"], '--routers takes a whole number from 1 to 10; got "0"'],
    [["run", "m1/01", "--routers", "3"], "--routers needs m3 or later"],
    [["run", "m1/01", "m1/02"], 'What is "m1/02"?'],
    [["run", "m9/01"], 'There is no exercise "m9/01"'],
  ];
  test.concurrent.for(wrong)("%j", async ([args, words]) => {
    using tree = plantTree({});
    for (const path of ["scripts", "shared", "bench", "exercises/m1", "solutions/m1", "package.json"])
      tree.copy(path);
    tree.copy("stages/m1/src");
    linkPackages(tree);
    const { code, output } = await runNode(join(tree.root, "scripts/exercise.ts"), args, { cwd: tree.root });
    expect(output).toContain(words);
    expect(output.trim().split("\n")).toHaveLength(1);
    expect(code).toBe(1);
    expect(readdirSync(tree.root)).not.toContain("workspace");
  });

  test.for(["run", "prove", "check"])("%s --help explains, and does nothing else", async (verb) => {
    const { code, output } = await runNode(join(projectRoot, "scripts/exercise.ts"), [verb, "--help"]);
    expect(output).toMatch(/^Usage: npm run exercise/);
    expect(code).toBe(0);
  });
});

describe("a program without flags of its own", () => {
  const programs = [
    "bench/rungs-readme",
    "graduation/containers/ask",
    "graduation/etcd/control-plane",
    "graduation/haproxy/agent/main",
    "graduation/haproxy/router",
    "graduation/nginx/main",
    "scripts/docs/exercise-first-visit",
    "scripts/docs/exercise-proof",
    "scripts/docs/frame-bench",
    "scripts/docs/router-memory",
    "scripts/docs/social-card",
    "scripts/ported-results",
    "shared/cells/main",
  ];
  const env = { PORT: "0", ADMIN_PORT: "0", CONTROL_PLANE_PORT: "0" };
  test.concurrent.for(programs)("%s explains itself, and starts with neither flag", async (program) => {
    const run = (flag: string) =>
      runNode(join(projectRoot, `${program}.ts`), [flag], { cwd: folder, env, timeoutMs: 20_000 });
    const help = await run("--help");
    expect(help.output).toContain(`${program}.ts`);
    expect(help.output).toMatch(/^Usage: /);
    expect(help.code).toBe(0);
    const unknown = await run("--colour");
    expect(unknown.output.trim().split("\n")).toHaveLength(1);
    expect(unknown.output).toMatch(/unknown flag "?--colour/);
    expect(unknown.code).toBe(1);
  });
});

describe.skipIf(process.platform === "win32")("a file that is none", () => {
  test("is read where a person may mean a pipe, and where nobody can, it is not waited for", () => {
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    expect(() => readSmallFile(pipe, 100)).toThrow("not a regular file");
    const written = join(folder, "written");
    writeFileSync(written, "x".repeat(100));
    expect(readBounded(written, 100).length).toBe(100);
    expect(() => readBounded(written, 99)).toThrow(`cannot read ${written}: larger than 99 bytes`);
    expect(() => readBounded(folder, 99)).toThrow(/EISDIR/);
  });

  test("holds no token", () => {
    const pipe = join(folder, "token");
    execFileSync("mkfifo", [pipe]);
    for (const file of [pipe, "/dev/zero", folder]) {
      expect(findTokens("http://127.0.0.1:1", undefined, { CONTROL_PLANE_TOKEN_FILE: file })).toEqual([]);
    }
  });
});
