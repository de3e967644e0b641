import { expect, test } from "vitest";
import { startCluster } from "../cluster.ts";
import { failOnLeaks } from "../leak-check.ts";
import { startRouter } from "../router-process.ts";

failOnLeaks();

test("starts a stage's router with four cells, and tells a scenario in its words", async () => {
  await using cluster = await startCluster({ stage: "m1" });
  await cluster.expectServedBy("acme", "tier1");
  await expect(cluster.expectServedBy("acme", "tier3")).rejects.toThrow(/got 200, X-Routed-To tier1/);
  await cluster.stop("tier1");
  await cluster.expectStatus("acme", 502);
  await cluster.restart("tier1");
  await cluster.eventuallyServedBy("acme", "tier1");
  await cluster.router.waitForLog((line) => line["event"] === "request" && line["status"] === 502);
  expect(await cluster.router.stop()).toEqual({ code: 0, signal: null });
});

test("says what a router printed when it does not become ready", async () => {
  const start = startRouter({ stage: "m1", env: { PORT: "not a port" } });
  await expect(start).rejects.toThrow(/ended with exit code 1 before its READY line. It said:\n.*PORT/s);
});
