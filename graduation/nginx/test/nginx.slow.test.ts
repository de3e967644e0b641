// nginx itself, with generated configurations. Skipped where it is not installed.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { placementNames } from "../../../shared/testkit/cluster.ts";
import { route } from "../../../stages/m4/src/routing.ts";
import { engineVersion } from "../../topic.ts";
import { RefusedConfigurationError } from "../nginx-process.ts";
import { measureReloads } from "../reload-run.ts";
import { anyKey, documentOver, oddKeys } from "./odd-keys.ts";
import { documentWith, placement, Scene, tableOf } from "./scene.ts";

describe.skipIf(engineVersion("nginx") === undefined)("nginx", () => {
  test("routes every odd key as the table does", async () => {
    const keys = [...new Set([...oddKeys, ...fc.sample(anyKey, { numRuns: 100, seed: 16 })])];
    await using scene = await Scene.open((urlOf) => documentOver(keys, urlOf));
    const table = tableOf(documentOver(keys));
    for (const key of [...keys, "nobody"]) {
      const { headers } = await scene.ask(key);
      const { placement: expected, reason } = route(table, key);
      const got = [headers.one("x-routed-to"), headers.one("x-route-reason"), headers.one("x-cell")];
      expect(got, JSON.stringify(key)).toEqual([expected.name, reason, expected.name]);
    }
  });

  test("leads a dead tenant's requests nowhere, says why, and leaves the cell alone for a while", async () => {
    const breaker = { circuitBreaker: { consecutiveFailures: 2, waitMs: 60_000 } };
    await using scene = await Scene.open((urlOf) => documentWith(urlOf, { visa: breaker }));
    await scene.cells.get("visa")?.close();
    const statuses: unknown[] = [];
    for (let n = 0; n < 5; n++) {
      const response = await scene.ask("visa");
      statuses.push([response.status, response.json()["code"], response.headers.one("retry-after")]);
    }
    const unreachable = [502, "upstream-unreachable", undefined];
    const open = [503, "circuit-open", "60"];
    expect(statuses).toEqual([unreachable, unreachable, open, open, open]);
    expect((await scene.ask("tier1")).status).toBe(200);
    expect(placementNames.map((name) => scene.requestsAt(name))).toEqual([0, 1, 0, 0]);
  });

  test("counts failures whatever comes between them: max_fails is no row of failures", async () => {
    const breaker = { circuitBreaker: { consecutiveFailures: 3, waitMs: 60_000 } };
    await using scene = await Scene.open((urlOf) => documentWith(urlOf, { visa: breaker }));
    const statuses: number[] = [];
    for (const fault of ["reset", "none", "reset", "none", "reset", "none"] as const) {
      scene.cells.get("visa")?.setFault({ fault });
      statuses.push((await scene.ask("visa")).status);
    }
    expect(statuses).toEqual([502, 200, 502, 200, 502, 503]);
  });

  test("goes to the named fallback, says so, and to nobody else", async () => {
    await using scene = await Scene.open((urlOf) => documentWith(urlOf, { tier1: { fallback: ["tier2"] } }));
    await scene.cells.get("tier1")?.close();
    const { status, headers } = await scene.ask("tier1");
    const told = ["x-routed-to", "x-failover-from", "x-failover-reason", "x-cell"].map((name) =>
      headers.one(name),
    );
    expect([status, ...told]).toEqual([200, "tier2", "tier1", "connect-failed", "tier2"]);
    await scene.cells.get("tier2")?.close();
    expect((await scene.ask("tier1")).status).toBe(502);
    expect(placementNames.map((name) => scene.requestsAt(name))).toEqual([0, 0, 1, 0]);
  });

  test("lets a burst through and no more; keys that nobody named share one bucket", async () => {
    const limit = { ratePerSecond: 0.02, burst: 4 };
    const top = { keyLimits: { tier1: limit }, unlistedKeysLimit: limit };
    await using scene = await Scene.open((urlOf) => documentWith(urlOf, {}, top));
    const statuses = async (keys: readonly string[]) => {
      const responses = await Promise.all(keys.map((key) => scene.ask(key)));
      return responses.map(({ status }) => status).sort();
    };
    const fourOf = [200, 200, 200, 200, 429, 429];
    expect(await statuses(Array.from({ length: 6 }, () => "tier1"))).toEqual(fourOf);
    expect(await statuses(Array.from({ length: 6 }, (_, n) => `invented-${n}`))).toEqual(fourOf);
    expect(await statuses(["tier2", "tier2", "tier2", "tier2", "tier2"])).toEqual([200, 200, 200, 200, 200]);
    expect((await scene.ask("tier1")).headers.one("retry-after")).toBe("50");
  });

  test("serves on when it refuses the next configuration", async () => {
    await using scene = await Scene.open((urlOf) => documentWith(urlOf, {}));
    const unknown = tableOf({
      version: "next",
      defaultPlacement: "one",
      routingTable: {},
      placements: { one: placement("http://cell.invalid") },
    });
    await expect(scene.nginx.apply(unknown)).rejects.toThrow(RefusedConfigurationError);
    expect((await scene.ask("tier1")).status).toBe(200);
    expect(scene.nginx.generation).toBe(1);
  });

  test("reloads without a failure for those who connect anew, and lets downloads end", async () => {
    const plan = { reloads: 3, clients: 2, downloadSeconds: 2, shutdownSeconds: 0 };
    const cost = await measureReloads(plan);
    expect(cost.fresh.failed).toEqual({});
    expect(cost.downloads).toEqual({ begun: 3, whole: 3, cut: 0 });
  });

  test("cuts what takes longer than worker_shutdown_timeout", async () => {
    const cost = await measureReloads({ reloads: 1, clients: 1, downloadSeconds: 20, shutdownSeconds: 1 });
    expect(cost.downloads).toEqual({ begun: 1, whole: 0, cut: 1 });
  });
});
