// What the router says in its own name, beyond what the cases of each fault assert.

import { describe, expect, test } from "vitest";
import { expectForm } from "../expect-form.ts";
import { form } from "../grades.ts";
import type { Contract } from "./contract.ts";
import { expectNothingInternal, expectProblem } from "./problem.ts";

export function describeErrors(contract: Contract): void {
  describe("errors", () => {
    test("come with a code that a program can branch on: one fault, one code", form, async () => {
      using scene = contract.scene(async ({ connection }) => connection.reset());
      const codes = new Map<string, unknown>();
      codes.set("missing key", (await contract.send(scene.request({ key: null }))).json()["code"]);
      codes.set("long key", (await contract.send(scene.request({ key: "k".repeat(300) }))).json()["code"]);
      codes.set("broken cell", (await contract.send(scene.request())).json()["code"]);
      codes.set("method", (await contract.send(scene.request({ method: "TRACE" }))).json()["code"]);
      expect(new Set(codes.values()).size).toBe(codes.size);
    });

    test("answer HEAD without a body", async () => {
      using scene = contract.scene();
      await using client = await contract.connect();
      const response = await client.request(scene.request({ method: "HEAD", key: null }));
      expect([response.status, response.bodyBytes]).toEqual([400, 0]);
      expectForm(() => expect(response.headers.one("content-type")).toMatch(/^application\/problem\+json/));
      if (!response.headers.all("connection").join().toLowerCase().includes("close")) {
        expect((await client.request(scene.request())).text()).toBe("ok");
      }
    });

    test("keep the client's request id", form, async () => {
      using scene = contract.scene(async ({ connection }) => connection.reset());
      const fields = ["X-Request-Id: my-own.id_1"];
      for (const parts of [{ key: null }, { key: "acme" }]) {
        const response = await contract.send(scene.request({ ...parts, fields }));
        expectProblem(response, 400, 502);
        expect(response.headers.one("x-request-id")).toBe("my-own.id_1");
      }
    });

    test("never repeat what the client or the cell sent", async () => {
      // A page that shows an error would run it.
      const script = "<script>alert(1)</script>";
      using scene = contract.scene(async (exchange) => {
        await exchange.write(`HTTP/1.1 ${script}\r\n\r\n`);
        await exchange.connection.close();
      });
      for (const parts of [{ key: script.repeat(20) }, { key: "acme" }]) {
        const response = await contract.send(
          scene.request({ ...parts, target: `${scene.path("/?q=")}${script}` }),
        );
        expectProblem(response, 400, 502);
        expect(response.text()).not.toContain("script");
      }
    });

    test("are not the router's response to an unknown path: it has no paths of its own", async () => {
      using scene = contract.scene();
      for (const rest of ["/healthz", "/metrics", "/debug/config", "/favicon.ico", "/admin"]) {
        const response = await contract.send(scene.request({ target: scene.path(rest) }));
        expect([response.status, response.text()]).toEqual([200, "ok"]);
      }
      expect(scene.seen).toHaveLength(5);
    });

    test("tell nothing internal when the head cannot be read at all", async () => {
      const response = await contract.send("\x16\x03\x01\x02 TLS hello\r\n\r\n", { method: "GET" });
      expectProblem(response, 400);
      expectNothingInternal(response);
    });
  });
}
