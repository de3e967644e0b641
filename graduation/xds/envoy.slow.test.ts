import { describe, expect, it } from "vitest";
import { eventually } from "../../shared/testkit/eventually.ts";
import { checksFor } from "../containers/checks.ts";
import { envoyMissing, envoyVersion } from "./envoy.ts";
import { EnvoyLab } from "./lab.ts";

const version = envoyVersion();
const health = { path: "/health", intervalMs: 50, timeoutMs: 50, rise: 1, fall: 1 };

describe.skipIf(version === undefined)(
  version === undefined ? `Envoy (skipped: ${envoyMissing})` : `Envoy ${version}`,
  () => {
    it("routes and refuses as contract m1 asks, by the exported table", async () => {
      await using lab = await EnvoyLab.start();
      const nowhere = { adminUrl: "", controlPlaneUrl: "", tokenFile: "" };
      const checks = checksFor({ stage: "m1", routerUrl: lab.url, ...nowhere });
      const faults: string[] = [];
      for (const { name, run } of checks) {
        const fault = await run();
        if (fault !== undefined) faults.push(`${name}: ${fault}`);
      }
      // TRACE leads to a cell's route like any other method, and Envoy answers it with a status of its own.
      expect(faults.filter((fault) => !fault.startsWith("TRACE"))).toEqual([]);
    });

    it("serves a key of a dead cell by its fallback, and says who served", async () => {
      await using lab = await EnvoyLab.start({
        placements: {
          tier1: { health, fallback: ["tier2"], retries: { maxRetries: 1, baseMs: 1, capMs: 5 } },
        },
      });
      await lab.cell("tier1").close();
      // The first one, too: a retry after a connect failure goes to the next cluster of the chain.
      const first = await lab.ask("acme");
      expect([first.status, first.headers["x-routed-to"]]).toEqual([200, "tier2"]);
      expect(first.headers["x-cell"]).toBe("tier2");
    });

    it("serves a dead dedicated cell's tenant by nobody", async () => {
      await using lab = await EnvoyLab.start({ placements: { visa: { health } } });
      await lab.cell("visa").close();
      await eventually(async () => (await lab.ask("visa")).status === 503, { what: "503 for visa" });
      for (const name of ["tier1", "tier2", "tier3"] as const)
        expect(lab.cell(name).stats().requests).toBe(0);
    });

    it("never serves anybody else by a dedicated cell", async () => {
      await using lab = await EnvoyLab.start({
        placements: {
          tier1: { health, fallback: ["tier2"] },
          tier2: { health, fallback: ["tier3"] },
          tier3: { health },
        },
      });
      for (const name of ["tier1", "tier2", "tier3"] as const) await lab.cell(name).close();
      const isRefused = async () => (await lab.ask("acme")).status === 503;
      await eventually(isRefused, { what: "503 for acme" });
      expect((await lab.ask("someone-new")).status).toBeGreaterThanOrEqual(502);
      expect(lab.cell("visa").stats().requests).toBe(0);
    });

    it("refuses what exceeds a key's burst with 429 and Retry-After, and lets other keys pass", async () => {
      await using lab = await EnvoyLab.start({
        table: { keyLimits: { acme: { ratePerSecond: 0.01, burst: 3 } } },
      });
      const statuses: number[] = [];
      for (let i = 0; i < 5; i++) statuses.push((await lab.ask("acme")).status);
      expect(statuses).toEqual([200, 200, 200, 429, 429]);
      expect((await lab.ask("acme")).headers["retry-after"]).toMatch(/^\d+$/);
      expect((await lab.ask("globex")).status).toBe(200);
      expect(lab.cell("tier1").stats().requests).toBe(3);
    });

    it("counts all unlisted keys against one bucket, and a placement's keys against the placement's", async () => {
      await using lab = await EnvoyLab.start({
        placements: { tier2: { rateLimit: { ratePerSecond: 0.01, burst: 1 } } },
        table: { unlistedKeysLimit: { ratePerSecond: 0.01, burst: 2 } },
      });
      const statuses: number[] = [];
      for (const key of ["new-1", "new-2", "new-3", "globex", "globex", "initech"])
        statuses.push((await lab.ask(key)).status);
      expect(statuses).toEqual([200, 200, 429, 200, 429, 200]);
    });

    it("ejects a cell after its failures in a row: the next request reaches nobody", async () => {
      const circuitBreaker = {
        consecutiveFailures: 3,
        failureRatio: 1,
        windowMs: 60_000,
        minimumRequests: 1_000,
        waitMs: 60_000,
        maxWaitMs: 60_000,
        halfOpenProbes: 1,
      };
      await using lab = await EnvoyLab.start({ placements: { tier1: { circuitBreaker } } });
      lab.cell("tier1").setFault({ fault: "error", status: 503 });
      const seen = () => lab.cell("tier1").stats().requests;
      for (let i = 0; i < 3; i++) await lab.ask("acme");
      expect(seen()).toBe(3);
      // A worker tells the main thread, which ejects: a request or two may come in between.
      const reachesNobody = async () => {
        const before = seen();
        return (await lab.ask("acme")).status === 503 && seen() === before;
      };
      await eventually(reachesNobody, { what: "the cell is ejected" });
      // Not by the share of failures: that needs a thousand requests.
      expect(seen()).toBeLessThan(circuitBreaker.minimumRequests);
    });

    it("retries a GET and never a POST", async () => {
      await using lab = await EnvoyLab.start({
        placements: { tier1: { retries: { maxRetries: 2, baseMs: 1, capMs: 5 } } },
        table: { retryBudget: { ratio: 1, minPerSecond: 100 } },
      });
      lab.cell("tier1").setFault({ fault: "error", status: 503 });
      await lab.ask("acme");
      expect(lab.cell("tier1").stats().byMethod["GET"]).toBe(3);
      await lab.ask("acme", "/", { method: "POST", body: "pay" });
      expect(lab.cell("tier1").stats().byMethod["POST"]).toBe(1);
    });
  },
);
