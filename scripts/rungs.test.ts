// The rungs of m5's ladder: what is taken out, what is computed from a run, and what the README says of it.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Report, Row } from "../bench/report.ts";
import { patchFiles, writeRung } from "../bench/rung-patch.ts";
import { ladderOf, stepsOf, storyOf } from "../bench/rung-savings.ts";
import { ladderReadme, rungsFile, withRungs } from "../bench/rungs-readme.ts";
import { formatRungs, reportRungs } from "../bench/rungs-report.ts";
import { medianInterval } from "../bench/statistics.ts";
import { findingsOf, linkPackages, plantTree } from "./planted-tree.ts";
import { check } from "./verify/rungs.ts";

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

describe("the interval of a median", () => {
  // From the tables of the sign test, such as Conover's.
  it.each([
    [6, 1, 6, 0.969],
    [9, 2, 8, 0.961],
    [10, 2, 9, 0.979],
    [16, 4, 13, 0.979],
    [20, 6, 15, 0.959],
    [100, 40, 61, 0.965],
  ])("of %i values goes from number %i to number %i", (count, low, high, coverage) => {
    const interval = medianInterval(upTo(count).toReversed());
    expect(interval).toMatchObject({ median: (count + 1) / 2, low, high, count });
    expect(interval.coverage).toBeCloseTo(coverage, 3);
  });

  it("is the whole range of few values, and says how little that covers", () => {
    expect(medianInterval([7])).toEqual({ median: 7, low: 7, high: 7, coverage: 0, count: 1 });
    expect(medianInterval(upTo(5))).toMatchObject({ low: 1, high: 5, coverage: 0.9375 });
  });
});

const row = (name: string, ...cpuUs: readonly (number | "void")[]): Row => ({
  name,
  kind: "stage",
  about: "",
  version: "1",
  cpuUsPerRequest: { median: Number(cpuUs[0]), min: 0, max: 0 },
  cpuRatios: {},
  requestsPerSecond: undefined,
  p50Ms: undefined,
  p99Ms: undefined,
  peakRssMiB: undefined,
  voidRounds: cpuUs.filter((each) => each === "void").length,
  rounds: cpuUs.map((each, round) => ({
    ...{ round, phase: "closed", valid: each !== "void", cpuUsPerRequest: Number(each), stealMs: 0 },
    ...{ requests: 1, seconds: 1, errors: 0, p50Ms: 1, p99Ms: 1, maxMs: 1 },
  })),
});

const report = (...rows: Row[]): Report => ({
  kind: "rungs",
  takenAt: "2026-11-30T00:00:00.000Z",
  machine: { cpu: "c", cores: 2, memoryGiB: 1, kernel: "k", node: "v1", virtual: false, loadBefore: 0 },
  method: {
    ...{ load: "wrk", rounds: 3, seconds: 1, warmUpSeconds: 2, connections: 1, rate: undefined },
    ...{ requestFields: 6, bodyBytes: 512 },
  },
  rows,
  missing: [],
  failed: [],
});

describe("what a step saves", () => {
  const m5 = row("m5", 20, 30, 10);
  const measured = report(
    row("m4", 50),
    m5,
    row("last-used-first", 25, 60, "void"),
    row("nothing", 20, 31, 10),
  );

  it("is the share of the CPU time without it, by rounds that are not void", () => {
    const [saving, noise] = reportRungs(measured).rungs;
    // 1 − 20/25 and 1 − 30/60.
    expect(saving?.savedPercent).toMatchObject({ median: 35, low: expect.closeTo(20), high: 50, count: 2 });
    expect(reportRungs(measured).contenders.at(2)?.rounds).toEqual([
      { round: 0, cpuUsPerRequest: 25 },
      { round: 1, cpuUsPerRequest: 60 },
    ]);
    expect(noise).toMatchObject({ name: "nothing", savedPercent: { median: 0, count: 3 } });
  });

  it("stands beside the noise, which comes last; a step that was not measured has no row", () => {
    const steps = stepsOf(reportRungs(measured));
    expect(steps.map(({ isNoise, savedPercent: { median } }) => [isNoise, median])).toEqual([
      [false, 35],
      [true, 0],
    ]);
  });

  it("has a row in the ladder only above the noise; a sentence names the others", () => {
    // Noise reaches up to 1 − 30/40 = 25 %.
    const noise = row("nothing", 20, 40, 10);
    const among = (...rows: Row[]) => ladderOf(reportRungs(report(m5, ...rows, noise)));
    const { steps, others } = among(row("onread", 40, 60, 20), row("one-write", 25, 30, 14));
    expect(steps.map(({ step }) => step)).toEqual([
      "one buffer for all reads, on both sides",
      "nothing taken out: a second m5",
    ]);
    expect(others).toBe("1 more step lies within the noise (median 25.0 % or less): one write per message.");
    expect(among(row("onread", 40, 60, 20)).others).toBe("");
    const [two, less] = [row("one-timer", 26, 33, 11), row("one-write", 25, 30, 10)];
    expect(among(less, two).others).toMatch(/^2 more steps lie .*: one timer for all .*; one write per/);
  });

  it("is told after what m4 and m5 cost in that run", () => {
    expect(storyOf(reportRungs(measured))).toBe("m4 50.0 µs, m5 20.0 µs");
    const text = formatRungs(measured);
    expect(text).toMatch(/^the connection used last goes first +sockets +35\.0 % \(20\.0 to 50\.0\)$/m);
    expect(text).toContain("VOID last-used-first: 1 rounds had errors");
  });
});

it("m5's README has the ladder of the last saved run in it", () => {
  const saved = JSON.parse(readFileSync(rungsFile, "utf8"));
  const readme = readFileSync(ladderReadme, "utf8");
  expect(withRungs(readme, saved), "npx tsx bench/rungs-readme.ts").toBe(readme);
});

const patch = `diff --git a/sockets/pool.ts b/sockets/pool.ts
--- a/sockets/pool.ts
+++ b/sockets/pool.ts
@@ -1,2 +1,2 @@
-take = pop;
+take = shift;
 // the end
diff --git a/queue.ts b/queue.ts
new file mode 100644
--- /dev/null
+++ b/queue.ts
@@ -0,0 +1 @@
+queue = [];
diff --git a/stack.ts b/stack.ts
deleted file mode 100644
--- a/stack.ts
+++ /dev/null
@@ -1 +0,0 @@
-stack = [];
`;
const source: Record<string, string> = {
  "sockets/pool.ts": "// moved by a line\ntake = pop;\n// the end\n",
  "stack.ts": "stack = [];\n",
};
const applied = (files: Record<string, string>) => patchFiles(patch, (file) => files[file]);

describe("the patch of a rung", () => {
  it("changes, adds and deletes files, wherever in a file its lines have moved to", () => {
    expect(applied(source)).toEqual({
      files: [
        { file: "sockets/pool.ts", text: "// moved by a line\ntake = shift;\n// the end\n" },
        { file: "queue.ts", text: "queue = [];\n" },
        { file: "stack.ts", text: undefined },
      ],
      faults: [],
    });
  });

  it("names each file that it does not fit", () => {
    const { faults } = applied({ "sockets/pool.ts": "take = last;\n// the end\n", "queue.ts": "" });
    expect(faults).toEqual([
      { file: "sockets/pool.ts", why: "the patch does not fit it any more" },
      { file: "queue.ts", why: "the patch adds it, and m5 has one by now" },
      { file: "stack.ts", why: "m5 has no such file any more" },
    ]);
  });

  it("must change something, and rename nothing", () => {
    expect(patchFiles("", () => "").faults).toEqual([{ file: "", why: "the patch changes nothing" }]);
    const rename = "diff --git a/a.ts b/b.ts\nsimilarity index 100%\nrename from a.ts\nrename to b.ts\n";
    expect(patchFiles(rename, () => "").faults).toEqual([
      { file: "b.ts", why: 'a patch must not rename ("a.ts")' },
    ]);
  });
});

function plantRungs(files: Record<string, string> = {}) {
  const sources = Object.entries(source).map(([file, text]) => [`stages/m5/src/${file}`, text]);
  return plantTree({
    "package.json": "{}",
    "bench/rungs.ts": `export const rungs = [{ name: "queue" }];`,
    "bench/rungs/queue.patch": patch,
    ...Object.fromEntries(sources),
    ...files,
  });
}

describe("m5 without a step", () => {
  it("is a copy of m5 with the packages beside it", () => {
    using tree = plantRungs();
    linkPackages(tree);
    writeRung({ name: "queue" }, tree.root, join(tree.root, "out"));
    const read = (file: string) => readFileSync(join(tree.root, "out", "src", file), "utf8");
    expect(read("sockets/pool.ts")).toContain("take = shift;");
    expect(read("queue.ts")).toBe("queue = [];\n");
    expect(existsSync(join(tree.root, "out", "src", "stack.ts"))).toBe(false);
    expect(existsSync(join(tree.root, "out", "node_modules", "diff"))).toBe(true);
  });

  it("is made by several patches, each of what the one before has left", () => {
    const next = "--- a/queue.ts\n+++ b/queue.ts\n@@ -1 +1 @@\n-queue = [];\n+queue = list;\n";
    using tree = plantRungs({ "bench/rungs/list.patch": next });
    linkPackages(tree);
    writeRung({ name: "list", after: ["queue"] }, tree.root, join(tree.root, "out"));
    expect(readFileSync(join(tree.root, "out", "src", "queue.ts"), "utf8")).toBe("queue = list;\n");
    expect(existsSync(join(tree.root, "out", "src", "stack.ts"))).toBe(false);
  });

  it("is refused by the names of the rung and the file when the patch does not fit", () => {
    using tree = plantRungs({ "stages/m5/src/stack.ts": "stack = [1];\n" });
    expect(() => writeRung({ name: "queue" }, tree.root, join(tree.root, "out"))).toThrow(
      "bench/rungs/queue.patch does not fit m5: stack.ts: the patch does not fit it any more",
    );
  });
});

describe("verify", () => {
  it("passes when every rung has a patch that fits", async () => {
    using tree = plantRungs();
    expect(await check.run(tree.root)).toEqual({ findings: [], looked: "1 rungs" });
  });

  it("finds a patch that does not fit, one of no rung, and a rung without one", async () => {
    using tree = plantRungs({
      "bench/rungs.ts": `export const rungs = [{ name: "queue" }, { name: "stack" }];`,
      "bench/rungs/heap.patch": patch,
      "stages/m5/src/stack.ts": "stack = [1];\n",
    });
    expect(await findingsOf(check, tree)).toEqual([
      expect.stringMatching(/^error bench\/rungs\/queue\.patch: stages\/m5\/src\/stack\.ts: .* not fit/),
      'error bench/rungs.ts: names "stack", but there is no bench/rungs/stack.patch',
      "error bench/rungs/heap.patch: belongs to no rung of bench/rungs.ts",
    ]);
  });
});
