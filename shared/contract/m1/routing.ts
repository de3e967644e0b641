// Which cell serves which routing key, and what is no routing key.

import { describe, expect, test } from "vitest";
import type { Contract } from "./contract.ts";
import { expectProblem } from "./problem.ts";

export function describeRouting(contract: Contract): void {
  describe("routing", () => {
    test.each([
      ["visa", "visa", "dedicated"],
      ["acme", "tier1", "tier"],
      ["globex", "tier2", "tier"],
      ["initech", "tier3", "tier"],
    ])("sends the key %s to %s, because it is %s", async (key, placement, reason) => {
      using scene = contract.scene();
      const response = await contract.send(scene.request({ key }));
      expect(response.status).toBe(200);
      expect(response.headers.one("x-routed-to")).toBe(placement);
      expect(response.headers.one("x-route-reason")).toBe(reason);
      expect(response.headers.one("x-cell")).toBe(placement);
      expect(scene.onlySeen.placement).toBe(placement);
      expect(scene.onlySeen.headers.one("x-routing-key")).toBe(key);
    });

    test.each([
      ["a key that nobody listed", "hooli"],
      ["a listed key in other letters", "VISA"],
      ["__proto__", "__proto__"],
      ["constructor", "constructor"],
      ["toString", "toString"],
      ["hasOwnProperty", "hasOwnProperty"],
      ["a key with a space", "two words"],
      ["a key with punctuation", "a/b?c=d&e;f:g"],
      ["a key in UTF-8", Buffer.from("münchen-東京").toString("latin1")],
      ["bytes that are not UTF-8", "\xff\xfe\xe9"],
      ["the name of a placement that is no key", "tier1"],
      ["256 bytes", "k".repeat(256)],
      ["256 bytes of UTF-8", Buffer.from("é".repeat(128)).toString("latin1")],
    ])("sends %s to tier3 by default, and passes the key's bytes on", async (_, key) => {
      using scene = contract.scene();
      const response = await contract.send(scene.request({ key }));
      expect(response.status).toBe(200);
      expect(response.headers.one("x-routed-to")).toBe("tier3");
      expect(response.headers.one("x-route-reason")).toBe("default");
      expect(scene.onlySeen.placement).toBe("tier3");
      expect(scene.onlySeen.headers.one("x-routing-key")).toBe(key);
    });

    test("reads the field's name without regard to case, and its value without the space around it", async () => {
      using scene = contract.scene();
      const response = await contract.send(
        scene.request({ key: null, fields: ["x-ROUTING-key: \t visa \t"] }),
      );
      expect(response.headers.one("x-routed-to")).toBe("visa");
    });

    test("takes a key that is repeated with the same value", async () => {
      using scene = contract.scene();
      const response = await contract.send(scene.request({ key: "visa", fields: ["X-Routing-Key: visa"] }));
      expect(response.status).toBe(200);
      expect(response.headers.one("x-routed-to")).toBe("visa");
      expect(new Set(scene.onlySeen.headers.all("x-routing-key"))).toEqual(new Set(["visa"]));
    });

    test.each([
      ["missing", { key: null }],
      ["empty", { key: "" }],
      ["only space", { key: " \t " }],
      ["repeated with another value", { key: "visa", fields: ["X-Routing-Key: acme"] }],
      ["repeated with another value, far apart", { key: "visa", fields: ["X-A: 1", "x-routing-key: acme"] }],
      ["repeated, once empty", { key: "visa", fields: ["X-Routing-Key:"] }],
      ["257 bytes long", { key: "k".repeat(257) }],
      ["258 bytes long in 129 letters", { key: Buffer.from("é".repeat(129)).toString("latin1") }],
    ])("answers 400 when the key is %s, and asks no cell", async (_, parts) => {
      using scene = contract.scene();
      const response = await contract.send(scene.request(parts));
      expectProblem(response, 400);
      expect(scene.seen).toEqual([]);
    });

    test("does not pick one out of several keys in one field", async () => {
      // One field line, so not a repetition: an ordinary unknown key (tier3) or a refusal are both safe.
      using scene = contract.scene();
      const response = await contract.send(scene.request({ key: "visa, acme" }));
      expect([200, 400]).toContain(response.status);
      if (response.status === 200) expect(response.headers.one("x-routed-to")).toBe("tier3");
    });

    test("finds the second of two keys behind two thousand other fields", async () => {
      // A parser that stops counting fields would see one key where the cell sees two. Too many fields is a fair answer.
      using scene = contract.scene();
      const many = Array.from({ length: 2200 }, () => "a:");
      const response = await contract.send(
        scene.request({ key: "visa", fields: [...many, "X-Routing-Key: acme"] }),
      );
      expect([400, 431]).toContain(response.status);
      expect(scene.seen).toEqual([]);
    });
  });
}
