// Whom the control plane does not listen to: callers without the token, browsers, and bodies without an end.

import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ControlPlane, PushContract } from "./contract.ts";

export function describeApiAccess(contract: PushContract): void {
  describe("access to the control plane", () => {
    let controlPlane: ControlPlane;
    beforeAll(async () => {
      controlPlane = await contract.startControlPlane("access", contract.table(), 64 * 1024);
      contract.keep();
    });
    afterAll(() => controlPlane.kill());

    /** A request with exactly these fields; `fetch` would not let a `Host` or an `Origin` through. */
    const ask = (path: string, headers: Record<string, string>, body?: string): Promise<number> =>
      new Promise((resolve, reject) => {
        const method = body === undefined ? "GET" : "PUT";
        const sent = request(`${controlPlane.url}${path}`, { method, headers, agent: false }, (response) => {
          response.resume();
          response.once("end", () => resolve(response.statusCode ?? 0));
        });
        sent.once("error", reject);
        sent.end(body);
      });

    test.each([
      ["no token", undefined],
      ["a wrong token", "Bearer wrong-wrong-wrong-wrong"],
      ["a token that only starts right", "prefix"],
      ["another scheme", "Basic dXNlcjpwYXNz"],
      ["an empty token", "Bearer "],
    ])("a write with %s is answered 401 and changes nothing", async (_, authorization) => {
      const { etag } = await controlPlane.get();
      const given = authorization === "prefix" ? `Bearer ${controlPlane.token.slice(0, -1)}` : authorization;
      const response = await controlPlane.request("PUT", "/v1/routing", contract.table(), {
        ...(given === undefined ? {} : { Authorization: given }),
        "If-Match": etag ?? "",
      });
      expect(response).toMatchObject({ status: 401, body: { code: "unauthorized" } });
      expect(response.headers.get("www-authenticate")).toBe("Bearer");
      expect(JSON.stringify(response.body)).not.toContain(controlPlane.token);
      expect((await controlPlane.get()).etag).toBe(etag);
    });

    test("a browser's page is refused, even with the token", async () => {
      const authorization = `Bearer ${controlPlane.token}`;
      for (const origin of ["https://example.com", "null", controlPlane.url]) {
        expect(await ask("/v1/routing", { Origin: origin, Authorization: authorization })).toBe(403);
      }
    });

    test("a page whose own name leads here is refused", async () => {
      expect(await ask("/v1/routing", { Host: `rebound.example.com:${controlPlane.port}` })).toBe(421);
      expect(await ask("/v1/routing", { Host: `127.0.0.1.example.com:${controlPlane.port}` })).toBe(421);
      expect(await ask("/v1/routing", { Host: `localhost:${controlPlane.port}` })).toBe(200);
      expect(await ask("/v1/routing", { Host: "127.0.0.1" })).toBe(200);
    });

    test("a body that is too large is answered 413, and the control plane lives on", async () => {
      const table = contract.table((each) => {
        for (let key = 0; key < 5_000; key++) each.routingTable[`key-${key}`] = "tier1";
      });
      expect((await controlPlane.write("PUT", "/v1/routing", table)).status).toBe(413);
      const status = await ask(
        "/v1/routing",
        { Authorization: `Bearer ${controlPlane.token}`, "If-Match": "*", "Content-Length": "2000000" },
        "x".repeat(2_000_000),
      );
      expect(status).toBe(413);
      expect((await controlPlane.get()).status).toBe(200);
    });
  });
}
