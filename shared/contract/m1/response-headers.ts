// Which fields of a response pass to the client, which stop at the router, and which only the router may write.

import { describe, expect, test } from "vitest";
import { responseBytes } from "../messages.ts";
import { respondWith } from "../scenes.ts";
import type { Contract } from "./contract.ts";

export function describeResponseHeaders(contract: Contract): void {
  /** What the client sees of a response with these fields. */
  const responseSeen = async (fields: readonly string[], status = "200 OK") => {
    using scene = contract.scene(respondWith(responseBytes(status, fields, "ok")));
    const response = await contract.send(scene.request());
    expect(response.ending).toBe("complete");
    return response;
  };

  describe("response fields", () => {
    test("keeps Set-Cookie repeated, in order, with the commas of its dates", async () => {
      const cookies = ["a=1; Expires=Thu, 01 Jan 2032 00:00:00 GMT", "b=2", "a=3; Path=/x"];
      const { headers } = await responseSeen(cookies.map((cookie) => `Set-Cookie: ${cookie}`));
      expect(headers.all("set-cookie")).toEqual(cookies);
    });

    test.each([
      ["__proto__ and constructor as names", ["__proto__: p", "constructor: c"]],
      ["Latin-1 bytes", ["X-Latin: caf\xe9 \xff\x80"]],
      ["UTF-8 bytes", [`X-Utf: ${Buffer.from("東京").toString("latin1")}`]],
      ["an empty value", ["X-Empty:"]],
      [
        "its own Date, Server, ETag and Cache-Control",
        ["Date: Thu, 01 Jan 2032 00:00:00 GMT", "Server: cell/1", 'ETag: "x"', "Cache-Control: no-cache"],
      ],
    ])("passes %s on", async (_, fields) => {
      const { headers } = await responseSeen(fields);
      for (const field of fields) {
        const colon = field.indexOf(":");
        expect(headers.all(field.slice(0, colon))).toEqual([field.slice(colon + 1).trim()]);
      }
    });

    test("passes repeated fields on, apart or joined, in their order", async () => {
      const { headers } = await responseSeen(["X-Many: 1", "X-Other: o", "x-many: 2"]);
      expect(headers.all("x-many").join(", ")).toBe("1, 2");
    });

    test.each([
      "200 OK",
      "201 Created",
      "301 Moved Permanently",
      "404 Not Found",
      "418 Odd",
      "503 Busy",
      "599 Own",
    ])("passes the status %s on with its body", async (status) => {
      const response = await responseSeen([], status);
      expect(response.status).toBe(Number(status.slice(0, 3)));
      expect(response.text()).toBe("ok");
    });

    test("takes a response without a reason phrase", async () => {
      using scene = contract.scene(respondWith("HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok"));
      expect((await contract.send(scene.request())).text()).toBe("ok");
    });

    test("strips the fields of the connection to the cell, and those that Connection names", async () => {
      const { headers } = await responseSeen([
        "Connection: keep-alive, X-Internal",
        "Keep-Alive: timeout=77",
        "Proxy-Connection: keep-alive",
        "Upgrade: h2c",
        "X-Internal: secret",
        "X-Public: yes",
      ]);
      expect(headers.has("x-internal")).toBe(false);
      expect(headers.has("proxy-connection")).toBe(false);
      expect(headers.has("upgrade")).toBe(false);
      expect(headers.all("keep-alive").join()).not.toContain("77");
      expect(headers.all("connection").join().toLowerCase()).not.toContain("x-internal");
      expect(headers.one("x-public")).toBe("yes");
    });

    test("says itself where the request went, whatever the cell says, and once", async () => {
      // A cell that could name another cell would make every dashboard and every failover test lie.
      const { headers } = await responseSeen([
        "X-Routed-To: visa",
        "x-routed-to: tier3",
        "X-Route-Reason: dedicated",
        "X-Route-Reason: default",
        "X-Request-Id: forged",
        "X-Request-Id: forged-again",
      ]);
      expect(headers.all("x-routed-to")).toEqual(["tier1"]);
      expect(headers.all("x-route-reason")).toEqual(["tier"]);
      expect(headers.one("x-request-id")).not.toContain("forged");
    });

    test("says where the request went although the cell's Connection names those fields", async () => {
      const { headers } = await responseSeen([
        "Connection: X-Routed-To, X-Route-Reason, X-Request-Id, Set-Cookie",
      ]);
      expect(headers.one("x-routed-to")).toBe("tier1");
      expect(headers.one("x-route-reason")).toBe("tier");
      expect(headers.one("x-request-id")).toBeDefined();
    });

    test("keeps the body's framing although the cell's Connection names it", async () => {
      const { headers } = await responseSeen([
        "Connection: Content-Length, Transfer-Encoding",
        "Content-Length: 2",
      ]);
      expect(headers.has("content-length") || headers.has("transfer-encoding")).toBe(true);
    });
  });
}
