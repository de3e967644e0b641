// The bench's own arithmetic and parsing: a wrong median would make every figure wrong without a sound.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type CpuProfile, groupTimes, selfTimes } from "../bench/cpu-profile.ts";
import { select } from "../bench/lineup.ts";
import { parseWrk } from "../bench/load/closed-loop.ts";
import { parseOptions } from "../bench/options.ts";
import { cpuMsIn, readTree } from "../bench/process-tree.ts";
import { parseCells, routingJson } from "../bench/routes.ts";
import { pairedRatio, rotatedRounds, spread } from "../bench/statistics.ts";
import { formatNumber, formatTable } from "../bench/table.ts";
import { workersLineup } from "../bench/workers.ts";
import { cellList } from "../shared/testkit/stage-environment.ts";

const cells = {
  visa: "http://127.0.0.1:1",
  tier1: "http://127.0.0.1:2",
  tier2: "http://127.0.0.1:3",
  tier3: "http://127.0.0.1:4",
};

describe("statistics", () => {
  it.each([
    [[3], { median: 3, min: 3, max: 3 }],
    [[9, 1], { median: 5, min: 1, max: 9 }],
    [[100, 1, 2], { median: 2, min: 1, max: 100 }],
    [[4, 1, 3, 2], { median: 2.5, min: 1, max: 4 }],
    // Numbers, not strings: 10 is more than 9.
    [[10, 9, 8], { median: 9, min: 8, max: 10 }],
  ])("takes the median and the range of %j", (values, expected) => {
    expect(spread(values)).toEqual(expected);
  });

  it("refuses the median of nothing", () => {
    expect(() => spread([])).toThrow(RangeError);
  });

  it("pairs ratios by round, so that a slow round is slow for both", () => {
    const mine = new Map([
      [0, 10],
      [1, 30],
      [2, 8],
    ]);
    const theirs = new Map([
      [0, 20],
      [1, 60],
    ]);
    expect(pairedRatio(mine, theirs)).toEqual({ median: 0.5, min: 0.5, max: 0.5 });
  });

  it("has no ratio where no round is shared", () => {
    expect(pairedRatio(new Map([[0, 1]]), new Map([[1, 1]]))).toBeUndefined();
  });

  it("rotates the order, so that everyone comes first once", () => {
    expect(rotatedRounds(["a", "b", "c"], 4).map((order) => order.join(""))).toEqual([
      "abc",
      "bca",
      "cab",
      "abc",
    ]);
  });
});

describe("process accounting", () => {
  const line = (pid: number, name: string, parent: number, ticks: readonly number[]) =>
    `${pid} (${name}) S ${parent} 1 1 0 -1 4194560 1 2 3 4 ${ticks.join(" ")} 20 0 1 0 99 1000 10`;

  it("adds user, system and dead children's time, in milliseconds", () => {
    expect(cpuMsIn(line(7, "nginx", 1, [100, 50, 3, 2]))).toBe(1550);
  });

  it("is not fooled by a program name with spaces and parentheses", () => {
    expect(cpuMsIn(line(7, "a) S 9 (b", 5, [1, 0, 0, 0]))).toBe(10);
  });

  it.runIf(process.platform === "linux")("counts the CPU time that this process burns", () => {
    const before = readTree(process.pid);
    const endMs = performance.now() + 10_000;
    const ownMs = () => process.cpuUsage().user / 1000;
    for (const startMs = ownMs(); ownMs() - startMs < 120 && performance.now() < endMs; );
    const after = readTree(process.pid);
    // Ticks of 10 ms: 120 ms show as at least 100.
    expect(after.cpuMs - before.cpuMs).toBeGreaterThanOrEqual(100);
    expect(after.peakRssKiB).toBeGreaterThanOrEqual(after.rssKiB);
    expect(after.rssKiB).toBeGreaterThan(10_000);
  });

  it("says so when the process is gone", () => {
    expect(() => readTree(2 ** 30)).toThrow(/is gone/);
  });
});

describe("routes", () => {
  it("reads the CELLS that it writes", () => {
    expect(parseCells(cellList(cells))).toEqual(cells);
  });

  it("names a missing cell", () => {
    expect(() => parseCells("visa=http://127.0.0.1:1")).toThrow(/"tier1"/);
  });

  it("gives the later stages the same table", () => {
    const table = JSON.parse(routingJson(cells, false)) as Record<string, unknown>;
    expect(table).toMatchObject({
      version: "1.0.0",
      defaultPlacement: "tier3",
      routingTable: { visa: "visa", acme: "tier1" },
      placements: { visa: { kind: "dedicated", url: "http://127.0.0.1:1" }, tier1: { kind: "tier" } },
    });
  });
});

describe("the table of m4 and m5", () => {
  it("asks for every protection of every placement, and lets no dedicated cell fall back", () => {
    const table = JSON.parse(routingJson(cells, true)) as { placements: Record<string, object> };
    for (const placement of Object.values(table.placements)) {
      expect(Object.keys(placement)).toEqual(
        expect.arrayContaining(["rateLimit", "concurrencyLimit", "health", "circuitBreaker", "retries"]),
      );
    }
    expect(table.placements).not.toHaveProperty("visa.fallback");
  });
});

describe("wrk's report", () => {
  const report = (values: Record<string, number>) =>
    `Running 2s test\nJSON${JSON.stringify(values)}\nmore text`;
  const good = { requests: 10, durationUs: 2e6, p50Us: 1500, p99Us: 9000, maxUs: 10000 };

  it("is read in seconds and milliseconds", () => {
    expect(parseWrk(report(good))).toEqual({
      requests: 10,
      seconds: 2,
      errors: 0,
      p50Ms: 1.5,
      p99Ms: 9,
      maxMs: 10,
    });
  });

  it.each(["connect", "read", "write", "status", "timeout"])("counts %s errors", (kind) => {
    expect(parseWrk(report({ ...good, [kind]: 2 })).errors).toBe(2);
  });

  it("is asked for in the form that is read", () => {
    const script = readFileSync(new URL("../bench/load/wrk-report.lua", import.meta.url), "utf8");
    for (const name of [...Object.keys(good), "connect", "read", "write", "status", "timeout"]) {
      expect(script).toContain(`"${name}":`);
    }
  });

  it("must be there", () => {
    expect(() => parseWrk("unable to connect to 127.0.0.1")).toThrow(/unable to connect/);
  });
});

describe("options", () => {
  const parse = (values: Record<string, string | boolean>) =>
    parseOptions("compare", [], values, new AbortController().signal);

  it("have defaults", () => {
    expect(parse({})).toMatchObject({
      only: undefined,
      also: [],
      rounds: 3,
      seconds: 2,
      warmUpSeconds: 2,
      connections: 64,
      cpuOnly: false,
    });
  });

  it("take no warm-up where that is asked for", () => {
    expect(parse({ "warm-up": "0" }).warmUpSeconds).toBe(0);
  });

  it("write for the site when asked to, or wherever told", () => {
    expect(parse({}).out).toBeUndefined();
    expect(parse({ save: true }).out).toMatch(/site\/data\/bench\.json$/);
    expect(parse({ save: true, out: "x.json" }).out).toBe("x.json");
  });

  it("double who has workers, and leave the others as they are", () => {
    const names = workersLineup(select(["m5", "m4", "nginx"])).map(({ name }) => name);
    expect(names).toEqual(["m5-x1", "m5-x2", "m4", "nginx-x1", "nginx-x2"]);
  });

  it("take contenders in the order named, each once", () => {
    expect(select(["nginx", "m1", "nginx"]).map(({ name }) => name)).toEqual(["nginx", "m1"]);
  });
});

describe("CPU profiles", () => {
  const frame = (functionName: string, url = "", lineNumber = 0) => ({ functionName, url, lineNumber });
  const profile: CpuProfile = {
    startTime: 1_000_000,
    nodes: [
      { id: 1, callFrame: frame("(idle)") },
      { id: 2, callFrame: frame("route", "file:///anywhere/stages/m1/src/routing.ts", 9) },
      { id: 3, callFrame: frame("parse", "file:///anywhere/node_modules/a/node_modules/@b/c/lib/x.js", 4) },
      { id: 4, callFrame: frame("emit", "node:events", 1) },
      { id: 5, callFrame: frame("writev") },
    ],
    samples: [1, 2, 3, 2, 4, 5],
    timeDeltas: [9000, 1000, 5000, 2000, 500, 4000],
  };

  it("become self time by function, idle time left out", () => {
    const times = selfTimes([profile], { fromUs: 0, toUs: 2_000_000 });
    expect(times.map(({ where, selfMs }) => [where, selfMs])).toEqual([
      ["parse @b/c/lib/x.js:5", 5],
      ["writev", 4],
      ["route stages/m1/src/routing.ts:10", 3],
      ["emit node:events:2", 0.5],
    ]);
    expect(groupTimes(times).map(({ group }) => group)).toEqual([
      "@b/c",
      "native",
      "stages/m1/src/routing.ts",
      "node:events",
    ]);
  });
});

describe("the span of a profile", () => {
  it("leaves start-up and shutdown out", () => {
    const node = { id: 1, callFrame: { functionName: "work", url: "node:x", lineNumber: 0 } };
    const profile = { nodes: [node], startTime: 100, samples: [1, 1, 1], timeDeltas: [10, 20, 40] };
    // The samples stand at 110, 130 and 170.
    expect(selfTimes([profile], { fromUs: 120, toUs: 160 })).toMatchObject([{ selfMs: 0.02 }]);
  });
});

describe("tables", () => {
  it("align and end no line with blanks", () => {
    expect(
      formatTable(
        ["name", "n"],
        [
          ["a", "10"],
          ["longer", ""],
        ],
      ),
    ).toBe(["name     n", "------  --", "a       10", "longer"].join("\n"));
  });

  it.each([
    [undefined, "-"],
    [123.4, "123"],
    [12.345, "12.3"],
    [1.234, "1.23"],
  ])("write %s as %s", (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });
});
