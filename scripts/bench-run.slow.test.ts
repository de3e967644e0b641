// `npm run bench` as a learner runs it: real processes, short rounds. Asserts on what it says, not on how fast anything is.
import { mkdtempDisposableSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { FleetResult } from "../bench/fleet/fleet-report.ts";
import type { Report } from "../bench/report.ts";
import type { RungsReport } from "../bench/rung-savings.ts";
import { eventually } from "../shared/testkit/eventually.ts";
import { isRunning } from "../shared/testkit/process-by-port.ts";
import { Program } from "../shared/testkit/program.ts";
import { runNode, type ToolResult } from "./run-tool.ts";

const root = join(import.meta.dirname, "..");

const script = join(root, "scripts", "bench.ts");

const bench = (...args: string[]): Promise<ToolResult> => runNode(script, args);

// A rehearsal: what is said counts here, and a cold figure is a figure.
const load = ["--rounds", "1", "--seconds", "1", "--connections", "4", "--rate", "200"];
const short = [...load, "--warm-up", "0", "--name", "test"];

/** A file that starts like a stage but answers with `status` and a body of its own after `goodResponses` good ones. */
function impostor(directory: string, goodResponses: number): string {
  const file = join(directory, "impostor.mjs");
  const code = `import { createServer, get } from "node:http";
    const cells = Object.fromEntries(process.env.CELLS.split(",").map((pair) => pair.split(/=(.*)/s)));
    const keys = { visa: "visa", acme: "tier1", globex: "tier2", initech: "tier3" };
    let left = ${goodResponses};
    const server = createServer((req, res) => {
      if (left-- <= 0) return void res.writeHead(500).end("no");
      get(cells[keys[req.headers["x-routing-key"]] ?? "tier3"], (response) => response.pipe(res));
    }).listen(0, "127.0.0.1", () => console.log(JSON.stringify({ event: "ready", url: "http://127.0.0.1:" + server.address().port })));`;
  writeFileSync(file, code);
  return file;
}

const temporaryDirectory = () => mkdtempDisposableSync(join(tmpdir(), "bench-test-"));

describe("npm run bench", { timeout: 120_000 }, () => {
  it("measures a peer and the bare cell, and writes the same JSON that it prints", async () => {
    using directory = temporaryDirectory();
    const out = join(directory.path, "bench.json");
    const args = ["--only", "undici-dispatch,direct", "--json", "--out", out, ...short];
    const { code, stdout, stderr } = await runNode(script, args);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    const report = JSON.parse(stdout) as Report;
    const [peer, direct] = report.rows;
    expect(peer?.name).toBe("undici-dispatch");
    expect(peer?.cpuUsPerRequest?.median).toBeGreaterThan(0);
    expect(peer?.peakRssMiB).toBeGreaterThan(10);
    expect(peer?.p99Ms?.median).toBeGreaterThanOrEqual(peer?.p50Ms?.median ?? Number.POSITIVE_INFINITY);
    expect(direct?.name).toBe("direct");
    expect(direct?.cpuUsPerRequest).toBeUndefined();
    expect(direct?.requestsPerSecond?.median).toBeGreaterThan(0);
    const open = peer?.rounds.find(({ phase }) => phase === "open");
    // The pacer sends what the rate asks for, no more and no less.
    expect(open?.requests).toBe(200);
    const { default: saved } = (await import(out, { with: { type: "json" } })) as { default: Report };
    expect(saved).toEqual(report);
  });

  it("prints plain text with a row for each, when it is piped", async () => {
    const warm = [...load, "--warm-up", "1", "--name", "test"];
    const { code, stdout, stderr } = await bench("--only", "undici-dispatch", "--cpu-only", ...warm);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^undici-dispatch +\d/m);
    expect(stdout).not.toContain("\u001b");
  });

  it.concurrent("refuses to time a proxy that does not route, and says why", async () => {
    using directory = temporaryDirectory();
    const also = `impostor=${impostor(directory.path, 0)}`;
    const { code, stdout } = await bench("--only", "direct", "--cpu-only", "--also", also, ...short);
    expect(code).toBe(2);
    expect(stdout).toContain(
      'FAILED impostor: it does not route: routing key "visa": expected status 200, got 500 no',
    );
  });

  it.concurrent("voids a round in which a proxy answered with errors", async () => {
    using directory = temporaryDirectory();
    // Good for the guard's five requests, bad for every one under load.
    const also = `impostor=${impostor(directory.path, 5)}`;
    const { code, stdout } = await bench("--only", "direct", "--cpu-only", "--also", also, ...short);
    expect(code).toBe(2);
    expect(stdout).toContain("VOID impostor: 1 rounds had errors");
    expect(stdout).toMatch(/^impostor +- /m);
  });

  it.concurrent("takes a step out of m5, and measures that beside m4, m5 and a second m5", async () => {
    const { code, stdout, stderr } = await bench("rungs", "--only", "last-used-first", "--json", ...short);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const { contenders, rungs } = JSON.parse(stdout) as RungsReport;
    expect(contenders.map(({ name }) => name)).toEqual(expect.arrayContaining(["m4", "m5"]));
    expect(rungs.map(({ name, savedPercent }) => [name, savedPercent.count])).toEqual([
      ["last-used-first", 1],
      ["nothing", 1],
    ]);
  });

  it.concurrent("times a change to a fleet that takes deltas, beside one that does not", async () => {
    const fleet = ["fleet", "--stage", "m5", "--routers", "10", "--keys", "200", "--rounds", "1"];
    const { code, stdout, stderr } = await bench(
      ...fleet,
      "--processes",
      "1",
      "--json",
      "--name",
      "test-fleet",
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const { rows } = JSON.parse(stdout) as FleetResult;
    expect(rows.map(({ push, deltas, lostLinks }) => ({ push, deltas, lostLinks }))).toEqual([
      { push: "whole", deltas: 0, lostLinks: 0 },
      { push: "delta", deltas: 10, lostLinks: 0 },
    ]);
    const [whole, delta] = rows;
    // Ten whole tables; and ten messages that name two checksums, a version and a key.
    expect(whole?.bytesToRouters).toBeGreaterThan(10 * (whole?.snapshotBytes ?? Number.POSITIVE_INFINITY));
    expect(delta?.bytesToRouters).toBeLessThan(10 * 400);
    for (const row of rows) {
      expect(row.p50Ms).toBeGreaterThan(0);
      expect(row.lastAckMaxMs).toBeGreaterThanOrEqual(row.p99Ms);
    }
  });

  it.concurrent("leaves no process and no file behind when it is interrupted", async () => {
    using directory = temporaryDirectory();
    const pidFile = join(directory.path, "pid");
    const file = join(directory.path, "patient.mjs");
    // Never ready, deaf to SIGTERM: the worst child to leave behind.
    writeFileSync(
      file,
      `import { writeFileSync, renameSync } from "node:fs";
       process.on("SIGTERM", () => {});
       writeFileSync(${JSON.stringify(`${pidFile}.new`)}, String(process.pid));
       renameSync(${JSON.stringify(`${pidFile}.new`)}, ${JSON.stringify(pidFile)});
       setInterval(() => {}, 1000);`,
    );
    await using run = new Program({
      name: "the bench",
      command: process.execPath,
      args: [script, "--only", "direct", "--also", `patient=${file}`, ...short],
      env: { TMPDIR: directory.path },
    });
    const pid = await contentOf(pidFile);
    run.signal("SIGINT");
    expect((await run.exited).code).toBe(130);
    expect(run.lastLines().join("\n")).not.toContain("at "); // a stack trace
    await eventually(() => !isRunning(Number(pid)), { what: `process ${pid} has ended`, ...patient });
    expect(readdirSync(directory.path).filter((name) => name.startsWith("cell-routing-bench-"))).toEqual([]);
  });
});

const patient = { deadlineMs: 30_000, everyMs: 20 };

async function contentOf(path: string): Promise<string> {
  return await eventually(() => readFileSync(path, "utf8"), { what: `${path} exists`, ...patient });
}
