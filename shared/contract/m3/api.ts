// The control plane's API: what it answers, and that nobody's change is undone by somebody who had not seen it.

import { stat } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ControlPlane, PushContract } from "./contract.ts";

export function describeApi(contract: PushContract): void {
  describe("the control plane's API", () => {
    let controlPlane: ControlPlane;
    // One control plane for all cases: each reads the entity tag that it needs.
    beforeAll(async () => {
      controlPlane = await contract.startControlPlane("api", contract.table());
      contract.keep();
    });
    afterAll(() => controlPlane.kill());

    test("GET answers the document with an entity tag, and 304 to whoever has it", async () => {
      const response = await controlPlane.get();
      expect(response.status).toBe(200);
      expect(response.etag).toMatch(/^"[^"]+"$/);
      expect(response.body).toMatchObject({ defaultPlacement: "tier3", routingTable: { visa: "visa" } });
      const again = await controlPlane.request("GET", "/v1/routing", undefined, {
        "If-None-Match": response.etag ?? "",
      });
      expect(again).toMatchObject({ status: 304, etag: response.etag, body: "" });
    });

    test("PUT takes what GET gave, and the entity tag changes only with the content", async () => {
      const { body, etag } = await controlPlane.get();
      const unchanged = await controlPlane.write("PUT", "/v1/routing", body, etag ?? "");
      expect(unchanged).toMatchObject({ status: 200, etag });
      const changed = await controlPlane.put(contract.table());
      expect(changed.etag).not.toBe(etag);
      expect(changed.body.revision).toBe(unchanged.body.revision + 1);
      expect((await controlPlane.get()).etag).toBe(changed.etag);
    });

    test("a write without If-Match is answered 428", async () => {
      for (const [method, path] of [
        ["PUT", "/v1/routing"],
        ["PATCH", "/v1/routing/keys/acme"],
        ["DELETE", "/v1/routing/keys/acme"],
      ] as const) {
        const headers = { Authorization: `Bearer ${controlPlane.token}` };
        const response = await controlPlane.request(
          method,
          path,
          method === "DELETE" ? undefined : {},
          headers,
        );
        expect(response).toMatchObject({ status: 428, body: { code: "if-match-required" } });
      }
    });

    test("of two writes on top of the same revision one wins and the other is answered 412", async () => {
      const { etag } = await controlPlane.get();
      const both = await Promise.all(
        ["tier1", "tier2"].map((placement) =>
          controlPlane.write("PATCH", "/v1/routing/keys/raced", { placement }, etag ?? ""),
        ),
      );
      expect(both.map(({ status }) => status).sort()).toEqual([200, 412]);
      const winner = both.find(({ status }) => status === 200);
      const loser = both.find(({ status }) => status === 412);
      // The loser learns what is current now.
      expect(loser?.etag).toBe(winner?.etag);
    });

    test("twenty writers that try again lose no change", async () => {
      const write = async (index: number): Promise<void> => {
        for (;;) {
          const { status } = await controlPlane.write("PATCH", `/v1/routing/keys/writer-${index}`, {
            placement: "tier1",
          });
          if (status === 200) return;
          expect(status).toBe(412);
        }
      };
      await Promise.all(Array.from({ length: 20 }, (_, index) => write(index)));
      const { routingTable } = (await controlPlane.get()).body;
      for (let index = 0; index < 20; index++) expect(routingTable[`writer-${index}`]).toBe("tier1");
    });

    test("an invalid table is answered 422 with every fault, and changes nothing", async () => {
      const { etag } = await controlPlane.get();
      const broken = contract.table((table) => {
        table.defaultPlacement = "nowhere";
        table.routingTable["acme"] = "atlantis";
      });
      const response = await controlPlane.write("PUT", "/v1/routing", broken);
      expect(response.status).toBe(422);
      expect(response.headers.get("content-type")).toBe("application/problem+json");
      expect(response.body.faults).toEqual([
        expect.stringMatching(/^defaultPlacement:/),
        expect.stringMatching(/^routingTable\.acme:/),
      ]);
      const patched = await controlPlane.write("PATCH", "/v1/routing/keys/acme", { placement: "atlantis" });
      expect(patched.status).toBe(422);
      expect((await controlPlane.get()).etag).toBe(etag);
    });

    test("a table that is wrong everywhere is answered with a bounded number of faults", async () => {
      const { etag } = await controlPlane.get();
      const keys = Array.from({ length: 50_000 }, (_, index) => [`tenant-${index}`, "x".repeat(200)]);
      const wrong = contract.table((table) => (table.routingTable = Object.fromEntries(keys)));
      const response = await controlPlane.write("PUT", "/v1/routing", wrong);
      expect(response.status).toBe(422);
      expect(response.body.faults).toHaveLength(101);
      expect(JSON.stringify(response.body).length).toBeLessThan(64 * 1024);
      for (const placements of ["a".repeat(4_000_000), Array.from({ length: 900 }, () => ({})), 7, null]) {
        const refused = await controlPlane.write("PUT", "/v1/routing", { ...contract.table(), placements });
        expect(refused.status).toBe(422);
        expect(JSON.stringify(refused.body).length).toBeLessThan(64 * 1024);
      }
      const deep = await controlPlane.write("PUT", "/v1/routing", "[".repeat(4_000_000));
      expect(deep).toMatchObject({ status: 400, body: { faults: [expect.stringMatching(/nested/)] } });
      expect((await controlPlane.get()).etag).toBe(etag);
    });

    test("keys are set, read, and removed by PATCH or DELETE", async () => {
      const path = "/v1/routing/keys/k%C3%A4se%20%2F%20fromage";
      expect((await controlPlane.write("PATCH", path, { placement: "tier2" })).status).toBe(200);
      expect((await controlPlane.get(path)).body).toMatchObject({
        key: "käse / fromage",
        placement: "tier2",
      });
      expect((await controlPlane.write("DELETE", path)).status).toBe(200);
      expect((await controlPlane.get(path)).body).toMatchObject({ placement: "tier3", listed: false });
      expect((await controlPlane.write("DELETE", path)).status).toBe(404);
      expect((await controlPlane.write("PATCH", path, { placement: null })).status).toBe(404);
    });

    test("a key named __proto__ is set and removed like any other", async () => {
      const path = "/v1/routing/keys/__proto__";
      expect((await controlPlane.write("PATCH", path, { placement: "tier1" })).status).toBe(200);
      expect((await controlPlane.get(path)).body).toMatchObject({ placement: "tier1", listed: true });
      expect((await controlPlane.write("DELETE", path)).status).toBe(200);
      expect((await controlPlane.get(path)).body).toMatchObject({ listed: false });
    });

    test.each([
      ["PATCH", "/v1/routing/keys/acme", "{"],
      ["PATCH", "/v1/routing/keys/acme", "{}"],
      ["PATCH", "/v1/routing/keys/acme", "null"],
      ["PATCH", "/v1/routing/keys/acme", '{"placement":7}'],
      ["PATCH", "/v1/routing/keys/%E0%A4%A", '{"placement":"tier1"}'],
      ["PATCH", "/v1/routing/keys/acme", '{"placement":"tier1","placement":"tier2"}'],
      ["PUT", "/v1/routing", ""],
      ["PUT", "/v1/routing", '{"routingTable":{"acme":"tier1","\\u0061cme":"tier2"}}'],
    ])("%s %s with %j is answered 400", async (method, path, body) => {
      expect((await controlPlane.write(method, path, body)).status).toBe(400);
    });

    test("other paths are answered 404, other methods 405 with what is allowed", async () => {
      expect((await controlPlane.get("/")).status).toBe(404);
      expect((await controlPlane.get("/v1/routing/keys/a/b")).status).toBe(404);
      const response = await controlPlane.request("POST", "/v1/routing", {});
      expect(response.status).toBe(405);
      expect(response.headers.get("allow")).toBe("GET, HEAD, PUT");
    });

    test("HEAD answers like GET, without the body", async () => {
      const [head, get] = await Promise.all([
        controlPlane.request("HEAD", "/v1/routing"),
        controlPlane.request("GET", "/v1/routing"),
      ]);
      expect(head).toMatchObject({ status: 200, etag: get.etag, body: "" });
    });

    test("the token's file is its owner's alone", async () => {
      expect((await stat(controlPlane.tokenFile)).mode & 0o777).toBe(0o600);
    });
  });
}
