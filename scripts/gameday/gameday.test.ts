import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Program } from "../../shared/testkit/program.ts";
import { parseRoutingTable } from "../../stages/m4/src/routing-table.ts";
import { type Asked, type Got, judge } from "../load/judge.ts";
import { type CellName, originOf } from "../load/tables.ts";
import { projectRoot } from "../stages.ts";
import { GamedayRecord, recoveryMs } from "./record.ts";
import { reportOf, textOf } from "./report.ts";
import { planGameday } from "./schedule.ts";
import { keys, tableNumber } from "./tables.ts";

const urls = {
  visa: "http://127.0.0.1:9004",
  tier1: "http://127.0.0.1:9001",
  tier2: "http://127.0.0.1:9002",
  tier3: "http://127.0.0.1:9003",
};
const [even, odd] = [tableNumber(0, urls), tableNumber(1, urls)];

describe("the schedule", () => {
  test("is the same for the same seed and length, and another for another seed", () => {
    expect(planGameday(7, 180_000)).toEqual(planGameday(7, 180_000));
    expect(planGameday(8, 180_000)).not.toEqual(planGameday(7, 180_000));
  });

  test.each([1, 7, 4242])(
    "leaves nothing broken at the end, and breaks everything in three minutes (seed %i)",
    (seed) => {
      const plan = planGameday(seed, 180_000);
      const cells = plan.filter((each) => "cells" in each);
      for (const { atMs, untilMs } of plan)
        expect([untilMs >= atMs, untilMs + 3000 <= 180_000]).toEqual([true, true]);
      for (const [at, next] of cells.slice(1).entries())
        expect(next.atMs).toBeGreaterThan(cells[at]?.untilMs ?? 0);
      const kinds = new Set(plan.map(({ kind }) => kind));
      for (const kind of [
        "cell-killed",
        "cell-hang",
        "cell-slow",
        "cell-reset",
        "cell-error",
        "cell-drop-mid-body",
        "cell-flap",
        "control-plane-killed",
        "bad-push",
        "bad-file",
        "table-push",
      ])
        expect(kinds).toContain(kind);
    },
  );
});

describe("the tables", () => {
  test.each([0, 1, 2])("number %i is one that the router takes, and routes as the judge believes", (n) => {
    const { document, placements, placementByKey } = tableNumber(n, urls);
    const result = parseRoutingTable(document);
    if (!result.ok) throw new Error(result.faults.join("\n"));
    expect([...result.table.placements.keys()].sort()).toEqual([...placements.keys()].sort());
    for (const [name, { cell }] of placements)
      expect(result.table.placements.get(name)?.url).toBe(urls[cell]);
    for (const [key, name] of placementByKey) expect(result.table.placementByKey.get(key)?.name).toBe(name);
  });

  test("differ for the key that moves, and for no other", () => {
    const moved = keys.filter((key) => originOf(even, key) !== originOf(odd, key));
    expect(moved).toEqual(["mover"]);
  });
});

describe("the judge", () => {
  const asked: Asked = { key: "acme", method: "POST", path: "/pay", nonce: "n-1", bodySha256: "b" };
  const response = (
    to: string,
    cell: CellName,
    headers: Record<string, string> = {},
    request = asked,
  ): Got => ({
    ending: "complete",
    status: 200,
    headers: { "x-request-id": request.nonce, "x-routed-to": to, ...headers },
    bodySha256: "whole",
    echo: {
      cell,
      method: request.method,
      path: request.path,
      bodySha256: request.bodySha256,
      headers: { "x-request-id": request.nonce, "x-routing-key": request.key },
    },
  });
  const fallback = { "x-failover-from": "tier1", "x-failover-reason": "unhealthy" };
  const well = { tables: [even], isDisturbed: () => false };
  const disturbed = (...cells: CellName[]) => ({
    tables: [even],
    isDisturbed: (cell: CellName) => cells.includes(cell),
  });
  const mover = { ...asked, key: "mover" };

  test("accepts the placement that was routed to, and an explicit fallback", () => {
    expect(judge(asked, response("tier1", "tier1"), well)).toEqual({ outcome: "served", violations: [] });
    expect(judge(asked, response("tier2", "tier2", fallback), well)).toEqual({
      outcome: "fallback",
      violations: [],
    });
    for (const [to, cell] of [
      ["tier1", "tier1"],
      ["tier1-b", "tier2"],
    ] as const)
      expect(
        judge(mover, response(to, cell, {}, mover), { ...well, tables: [even, odd] }).violations,
      ).toEqual([]);
  });

  test.each<[string, Asked, Got, RegExp]>([
    ["a fallback that is not announced", asked, response("tier2", "tier2"), /^2 /],
    [
      "a fallback outside the chain",
      { ...asked, key: "initech" },
      response("tier1", "tier1", { ...fallback, "x-failover-from": "tier3" }, { ...asked, key: "initech" }),
      /^2 /,
    ],
    [
      "a fallback for somebody else",
      asked,
      response("tier2", "tier2", { ...fallback, "x-failover-from": "tier3" }),
      /^2 /,
    ],
    [
      "a reason that there is not",
      asked,
      response("tier2", "tier2", { ...fallback, "x-failover-reason": "because" }),
      /^2 /,
    ],
    ["another cell than the one that is named", asked, response("tier1", "tier2"), /^2 /],
    ["the old placement's name with the new one's cell", mover, response("tier1", "tier2", {}, mover), /^2 /],
    ["the tenant's own cell for somebody else", asked, response("visa", "visa"), /^5 /],
    [
      "somebody else's cell for the tenant",
      { ...asked, key: "visa" },
      response("tier3", "tier3", {}, { ...asked, key: "visa" }),
      /^5 /,
    ],
    ["the response to another request", asked, response("tier1", "tier1", { "x-request-id": "n-2" }), /^7 /],
    ["another body at the cell", asked, response("tier1", "tier1", {}, { ...asked, bodySha256: "c" }), /^7 /],
    ["another routing key at the cell", asked, response("tier1", "tier1", {}, mover), /^7 /],
    [
      "a body that looks whole and is not",
      { ...asked, expectedSha256: "other" },
      response("tier1", "tier1"),
      /^7 /,
    ],
    ["no end", asked, { ending: "timeout", status: 0, headers: {}, bodySha256: "" }, /^7 /],
  ])("finds %s", (_, request, got, invariant) => {
    const { violations } = judge(request, got, disturbed("visa", "tier1", "tier2", "tier3"));
    expect(violations).toContainEqual(expect.stringMatching(invariant));
  });

  test("accepts a failure where a cell of the chain was disturbed, and nowhere else", () => {
    const failed = (status: number, headers = {}): Got => ({
      ...response("tier1", "tier1", headers),
      status,
      echo: undefined,
    });
    const cut: Got = { ...response("tier1", "tier1"), ending: "cut", echo: undefined };
    const none: Got = { ending: "no-response", status: 0, headers: {}, bodySha256: "" };
    const all = [failed(502), failed(503, { "retry-after": "1" }), cut, none];
    expect(all.map((got) => judge(asked, got, disturbed("tier1")).outcome)).toEqual([
      "failed",
      "refused",
      "cut",
      "no-response",
    ]);
    for (const got of all) {
      expect(judge(asked, got, disturbed("tier1")).violations).toEqual([]);
      expect(judge(asked, got, disturbed("visa")).violations).toEqual([expect.stringMatching(/^1 or 3/)]);
    }
  });
});

describe("the record", () => {
  test("knows which tables a router may use, and until when a cell counts as disturbed", () => {
    const record = new GamedayRecord();
    record.offered("r", even);
    record.offered("r", odd);
    expect(record.tablesOf("r")).toEqual([even, odd]);
    record.confirmed("r", odd.version);
    expect(record.tablesOf("r")).toEqual([odd]);
    const window = record.open({ kind: "cell-killed", cells: ["tier1"], atMs: 0, untilMs: 0 }, 1000);
    window.toMs = 2000;
    const at = [999, 1500, 2000 + recoveryMs, 2001 + recoveryMs].map((ms) =>
      record.isDisturbed("tier1", ms, ms),
    );
    expect(at).toEqual([false, true, true, false]);
    expect(record.isDisturbed("tier2", 1500, 1500)).toBe(false);
  });

  test("makes the report", () => {
    const record = new GamedayRecord();
    record.open({ kind: "bad-push", atMs: 0, untilMs: 0 }, 100).toMs = 300;
    record.ended({ outcome: "served", violations: [] }, "GET /", 150, 160);
    record.ended({ outcome: "cut", violations: ["5 isolation"] }, "GET /", 400, 410);
    const report = reportOf(record, {
      stage: "m4",
      seed: 7,
      minutes: 1,
      startedAtMs: 0,
      memoryGrowthMiB: null,
    });
    expect(report).toMatchObject({ requests: 2, violations: 1, outcomes: { served: 1, cut: 1 } });
    expect(report.disturbances).toEqual([
      { kind: "bad-push", fromSeconds: 0.1, toSeconds: 0.3, outcomes: { served: 1 } },
    ]);
    const text = textOf(report);
    expect(text).toContain("Again: npm run gameday -- --stage m4 --minutes 1 --seed 7");
    expect(text).toMatch(/^ {2}served +a whole response from the placement that the table names$/m);
    expect(text).toMatch(/^ {2}5 +a dedicated cell serves its own tenant and nobody else$/m);
  });
});

describe("the command", () => {
  test("ends in a line of words at Ctrl-C, and judges nothing", async () => {
    const lines = { stdout: [] as string[], stderr: [] as string[] };
    const begun = Promise.withResolvers<void>();
    await using gameday = new Program({
      name: "the gameday",
      command: process.execPath,
      args: [join(projectRoot, "scripts/gameday.ts"), "--seed", "7"],
      // As a terminal gives to a command.
      ownGroup: true,
      onLine: (line, stream) => {
        lines[stream].push(line);
        // The first disturbance: the operator is at work.
        if (/^ +[0-9.]+ s {2}/.test(line)) begun.resolve();
      },
    });
    await Promise.race([begun.promise, gameday.exited]);
    gameday.signal("SIGINT");
    expect((await gameday.exited).code).toBe(1);
    expect(lines.stderr).toEqual(["gameday: stopped (Ctrl-C): nothing was judged"]);
    expect(lines.stdout.join("\n")).not.toContain("Violations");
  });
});
