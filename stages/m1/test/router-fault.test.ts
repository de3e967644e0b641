// A fault of the router's own, planted in the program that is started: the request that meets it is told so, and nothing else
// happens. Nothing here names a stage: the folder does.

import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { type Cluster, startCluster } from "../../../shared/testkit/cluster.ts";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { type PlantedFault, plantedFaults } from "../../../shared/testkit/planted-fault.ts";
import { RawClient } from "../../../shared/testkit/raw-client.ts";
import type { Stage } from "../../../shared/testkit/router-process.ts";

failOnLeaks();

const stage = basename(dirname(dirname(fileURLToPath(import.meta.url)))) as Stage;
const request = (key: string, path = "/") =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\nX-Routing-Key: ${key}\r\n\r\n`;
const planted = "GET / HTTP/1.1\r\nHost: a\r\nX-Routing-Key: acme\r\nX-Request-Id: planted\r\n\r\n";

/** Throws for one key alone, so that the same process serves all others. */
const throws = (condition: string) => `if (${condition}) throw new Error("planted");`;

const startWith = (...faults: PlantedFault[]): Promise<Cluster> =>
  startCluster({ stage, env: plantedFaults(faults) });

describe("a fault of the router's own", () => {
  test("in the decision is told as one, and harms no other request", async () => {
    await using cluster = await startWith({
      module: "/routing.ts",
      before: "const listed =",
      code: throws('routingKey === "planted"'),
    });
    await using client = await RawClient.connect(cluster.url);
    await using other = await RawClient.connect(cluster.url);
    await other.write(request("acme", "/drip?chunks=5&intervalMs=50"));
    const head = await other.readHead();
    for (let n = 0; n < 3; n++) {
      const response = await client.request(request("planted"));
      expect([response.status, response.json()["code"]]).toEqual([500, "router-fault"]);
      expect((await client.request(request("visa"))).status).toBe(200);
    }
    expect((await other.readBody(head)).ending).toBe("complete");
    const line = await cluster.router.waitForLog(({ code }) => code === "router-fault");
    expect(line).toMatchObject({ status: 500, outcome: "complete" });
    expect(line["cause"]).toContain("planted");
    expect(cluster.router.exitStatus).toBeUndefined();
  });

  test("before the request has been looked at costs its connection, and nothing else", async () => {
    await using cluster = await startWith({
      module: "/proxy.ts",
      before: "const startedAtMs =",
      code: throws('requestId === "planted"'),
    });
    await using client = await RawClient.connect(cluster.url);
    await client.write(planted);
    expect((await client.reader.toEnd()).toString("latin1")).toBe("");
    await cluster.expectServedBy("visa", "visa");
  });

  test("when the response's head has come is not the cell's", async () => {
    await using cluster = await startWith({
      module: "/headers.ts",
      before: "const owned = new Set(",
      code: throws(`routing.requestId === "planted"`),
    });
    await using client = await RawClient.connect(cluster.url);
    const response = await client.request(planted);
    expect([response.status, response.json()["code"]]).toEqual([500, "router-fault"]);
    const line = await cluster.router.waitForLog(({ code }) => code === "router-fault");
    expect(line["outcome"]).toBe("complete");
    await cluster.expectServedBy("acme", "tier1");
  });
});
