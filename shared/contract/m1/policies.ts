// What the standards leave to a proxy, decided once for every stage: expectations, look-alikes of the router's own fields, and how
// far an OPTIONS may go.

import { describe, expect, test } from "vitest";
import { form, policy } from "../grades.ts";
import type { Contract } from "./contract.ts";
import { expectNothingThrough } from "./nothing-through.ts";
import { expectProblem } from "./problem.ts";

export function describePolicies(contract: Contract): void {
  describe("expectations", policy, () => {
    test.each(["100-continue, fly", "fly, 100-continue", "fly", "100-continue=1"])(
      "refuses %j: nobody would meet it",
      async (value) => {
        // RFC 9110 §10.1.1: a proxy that passes it on vouches for a cell that it does not know.
        using scene = contract.scene();
        expectProblem(await contract.send(scene.request({ fields: [`Expect: ${value}`] })), 417);
        await expectNothingThrough(contract, scene);
      },
    );

    test("refuses an expectation that hides in a second field", async () => {
      using scene = contract.scene();
      const fields = ["Expect: 100-continue", "Expect: fly"];
      expectProblem(await contract.send(scene.request({ method: "POST", body: "x", fields })), 417);
      await expectNothingThrough(contract, scene);
    });

    test("knows 100-continue in capitals, and keeps it from the cell", async () => {
      using scene = contract.scene();
      const fields = ["Expect: 100-CONTINUE"];
      const response = await contract.send(scene.request({ method: "POST", body: "x", fields }));
      expect(response.status).toBe(200);
      expect(scene.onlySeen.headers.has("expect")).toBe(false);
    });

    test("lets an HTTP/1.0 client expect nothing", async () => {
      using scene = contract.scene();
      const response = await contract.send(scene.request({ version: "1.0", fields: ["Expect: fly"] }));
      expect(response.status).toBe(200);
      expect(scene.onlySeen.headers.has("expect")).toBe(false);
    });
  });

  describe("look-alikes", policy, () => {
    test("keeps fields from the cell that a CGI program could not tell from the router's own", async () => {
      // To CGI and WSGI, X_Routing_Key and X-Routing-Key are both HTTP_X_ROUTING_KEY, and either may win.
      const forged = [
        "X_Routing_Key: visa",
        "x-routing_key: visa",
        "X_Request_Id: forged",
        "X_Forwarded_For: 192.0.2.1",
        "X-Forwarded_Host: forged.test",
        "X_FORWARDED_PROTO: https",
        "X_Routed_To: visa",
        "X_Route_Reason: dedicated",
      ];
      using scene = contract.scene();
      const response = await contract.send(
        scene.request({ fields: [...forged, "X_Own: kept", "X_Own: too"] }),
      );
      expect(response.status).toBe(200);
      const { headers, placement } = scene.onlySeen;
      expect(placement).toBe("tier1");
      for (const field of forged) expect(headers.has(field.split(":")[0] ?? ""), field).toBe(false);
      expect(headers.all("x-routing-key")).toEqual(["acme"]);
      expect(headers.all("x_own")).toEqual(["kept", "too"]);
    });
  });

  describe("Max-Forwards", () => {
    test.each([
      ["10", "9"],
      ["1", "0"],
      ["007", "6"],
    ])("counts an OPTIONS with %s down to %s", async (value, expected) => {
      using scene = contract.scene();
      const fields = [`Max-Forwards: ${value}`];
      expect((await contract.send(scene.request({ method: "OPTIONS", fields }))).status).toBe(200);
      expect(scene.onlySeen.headers.all("max-forwards")).toEqual([expected]);
    });

    test("responds itself to an OPTIONS that may go no further", async () => {
      // RFC 9110 §7.6.2: it asks the last one who may see it, which is this router.
      using scene = contract.scene();
      await using client = await contract.connect();
      const response = await client.request(
        scene.request({ method: "OPTIONS", fields: ["Max-Forwards: 0"] }),
      );
      expect(response.status).toBe(204);
      expect(response.headers.one("allow")).toContain("OPTIONS");
      expect(response.headers.one("x-request-id")).toBeDefined();
      expect(response.headers.one("x-routed-to")).toBe("tier1");
      await expectNothingThrough(contract, scene);
      expect((await client.request(scene.request())).status).toBe(200);
    });

    test.each([
      ["OPTIONS", "Max-Forwards: -1"],
      ["OPTIONS", "Max-Forwards: many"],
      ["GET", "Max-Forwards: 0"],
    ])("passes %s with %s on as it came", policy, async (method, field) => {
      using scene = contract.scene();
      expect((await contract.send(scene.request({ method, fields: [field] }))).status).toBe(200);
      expect(scene.onlySeen.headers.all("max-forwards")).toEqual([field.split(": ")[1]]);
    });
  });

  describe("Date", () => {
    const date = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/;

    test.each([
      ["that it refuses", "X-Routing-Key: other"],
      ["whose head cannot be read", "no field"],
    ])("stands on the response to a request %s", form, async (_, field) => {
      using scene = contract.scene();
      const response = await contract.send(scene.request({ fields: [field] }));
      expect(response.status).toBe(400);
      expect(response.headers.one("date")).toMatch(date);
    });

    test("is added where a cell has no clock", async () => {
      // RFC 9110 §6.6.1: a recipient with a clock that forwards the response must record when it came.
      using scene = contract.scene();
      expect((await contract.send(scene.request())).headers.one("date")).toMatch(date);
    });

    test("stays as the cell wrote it", async () => {
      const written = "Sun, 06 Nov 1994 08:49:37 GMT";
      using scene = contract.scene(async (exchange) => {
        await exchange.readBody();
        await exchange.write(`HTTP/1.1 200 OK\r\nDate: ${written}\r\nContent-Length: 2\r\n\r\nok`);
      });
      expect((await contract.send(scene.request())).headers.all("date")).toEqual([written]);
    });
  });
}
