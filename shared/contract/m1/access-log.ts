// One JSON line per request. Only where the suite can read the log; elsewhere the cases are skipped by name.

import { describe, expect, test } from "vitest";
import { eventually, within } from "../../testkit/eventually.ts";
import type { LogLine } from "../../testkit/router-process.ts";
import { form } from "../grades.ts";
import { responseBytes } from "../messages.ts";
import type { Contract } from "./contract.ts";

export function describeAccessLog(contract: Contract): void {
  const linesFor = (path: string): LogLine[] =>
    (contract.router.logs?.() ?? []).filter((line) => line["event"] === "request" && line["path"] === path);

  /** The one line for a path. */
  const lineFor = (path: string, deadlineMs = 5000) =>
    eventually(() => linesFor(path)[0], { what: `a log line for ${path}`, deadlineMs });

  const readable = (skip: (why: string) => void) => {
    if (contract.router.logs === undefined) skip("the suite cannot read this router's log");
  };

  describe("the access log", form, () => {
    test("has one line for a request: what came, where it went, how it ended", async ({ skip }) => {
      readable(skip);
      using scene = contract.scene();
      const target = scene.path("/log?x=1");
      const fields = ["X-Request-Id: log-1"];
      await contract.send(scene.request({ method: "POST", key: "visa", target, fields, body: "four" }));
      const line = await lineFor(target);
      expect(line).toMatchObject({
        event: "request",
        requestId: "log-1",
        method: "POST",
        path: target,
        routingKey: "visa",
        placement: "visa",
        reason: "dedicated",
        upstream: contract.endpoints.urls()["visa"],
        status: 200,
        bytesIn: 4,
        bytesOut: 2,
        outcome: "complete",
      });
      expect(line["durationMs"]).toEqual(expect.any(Number));
      expect(Number.isNaN(Date.parse(String(line["time"])))).toBe(false);
      await contract.send(scene.request({ target: scene.path("/after") }));
      await lineFor(scene.path("/after"));
      expect(linesFor(target)).toHaveLength(1);
    });

    test("has a line for a request that was refused", async ({ skip }) => {
      readable(skip);
      using scene = contract.scene();
      await contract.send(scene.request({ target: scene.path("/refused"), key: null }));
      expect(await lineFor(scene.path("/refused"))).toMatchObject({ status: 400, outcome: "complete" });
    });

    test("has a line for bytes that are no request, under the id of the response", async ({ skip }) => {
      readable(skip);
      using scene = contract.scene();
      const response = await contract.send(scene.request({ fields: ["No colon here"] }));
      const id = response.headers.one("x-request-id");
      const line = await eventually(() => contract.router.logs?.().find((each) => each["requestId"] === id), {
        what: "a log line for the refusal",
        deadlineMs: 5000,
      });
      expect(line).toMatchObject({ event: "request", status: 400, outcome: "complete" });
    });

    test("says client-aborted when the client closed in the middle of its body, and counts no response", async ({
      skip,
    }) => {
      readable(skip);
      // The response before this one went over the same connection to the cell.
      using before = contract.scene();
      await contract.send(before.request());
      const arrived = Promise.withResolvers<void>();
      using scene = contract.scene(async ({ connection }) => {
        arrived.resolve();
        await connection.untilClosed();
      });
      const target = scene.path("/half");
      const client = await contract.connect();
      const fields = ["Content-Length: 100"];
      await client.write(scene.request({ method: "POST", target, fields, body: "half" }));
      await within(arrived.promise, 5000, "the request reaches the cell");
      await client.close();
      expect(await lineFor(target)).toMatchObject({ outcome: "client-aborted", bytesIn: 4, bytesOut: 0 });
    });

    test("says client-aborted when the client left", async ({ skip }) => {
      readable(skip);
      const arrived = Promise.withResolvers<void>();
      using scene = contract.scene(async ({ connection }) => {
        arrived.resolve();
        await connection.untilClosed();
      });
      const client = await contract.connect();
      await client.write(scene.request({ target: scene.path("/left") }));
      await within(arrived.promise, 5000, "the request reaches the cell");
      client.reset();
      expect(await lineFor(scene.path("/left"))).toMatchObject({
        outcome: "client-aborted",
        placement: "tier1",
      });
    });

    test.for([
      ["before its head", "", 502],
      ["in the middle of its body", responseBytes("200 OK", ["Content-Length: 100"], "part"), 200],
    ] as const)("says upstream-failed when the cell broke %s", async ([, start, status], { skip }) => {
      readable(skip);
      using scene = contract.scene(async (exchange) => {
        await exchange.write(start);
        await exchange.connection.close();
      });
      await contract.send(scene.request({ target: scene.path("/broke") }));
      expect(await lineFor(scene.path("/broke"))).toMatchObject({ outcome: "upstream-failed", status });
    });

    test("keeps a line whole, whatever the client puts into its key and path", async ({ skip }) => {
      readable(skip);
      using scene = contract.scene();
      const target = scene.path('/"},{"event":"request","status":1');
      await contract.send(scene.request({ target, key: '"}\t{"' }));
      expect(await lineFor(target)).toMatchObject({ routingKey: '"}\t{"', status: 200 });
    });
  });
}
