// The port for operators: what it says, and whom it does not talk to.

import { describe, expect, test } from "vitest";
import { form } from "../grades.ts";
import type { ReloadContract } from "./contract.ts";

export function describeAdminPort(contract: ReloadContract): void {
  const port = () => new URL(contract.router.adminUrl).port;

  describe("the admin port", () => {
    test("listens on loopback, apart from the data port", () => {
      expect(new URL(contract.router.adminUrl).hostname).toBe("127.0.0.1");
      expect(port()).not.toBe(new URL(contract.router.url).port);
    });

    test.each(["/healthz", "/readyz"])("answers 200 on %s", async (path) => {
      expect((await contract.admin(path)).status).toBe(200);
    });

    test("says which table is in use", form, async () => {
      const table = contract.table();
      const startedAt = Date.now();
      const config = await contract.apply(table);
      expect(config.version).toBe(table.version);
      expect(config.source).toEqual(expect.any(String));
      expect(config.checksum).toMatch(/^[0-9a-f]{64}$/);
      expect(config.lastError).toBeNull();
      expect(Date.parse(config.appliedAt)).toBeGreaterThanOrEqual(startedAt - 5);
      expect(Date.parse(config.appliedAt)).toBeLessThanOrEqual(Date.now() + 5);
    });

    test("gives the same content the same checksum, and other content another one", form, async () => {
      const table = contract.table();
      const first = await contract.apply(table);
      const other = await contract.apply(contract.table());
      const again = await contract.apply(table);
      expect(again.checksum).toBe(first.checksum);
      expect(other.checksum).not.toBe(first.checksum);
    });

    test.each(["/healthz", "/readyz", "/debug/config"])("keeps %s off the data port", async (target) => {
      const response = await contract.ask("acme", { target });
      expect(response.headers.one("x-cell")).toBe("tier1");
    });

    test("answers 404 elsewhere, and 405 to what is not a read", form, async () => {
      expect((await contract.admin("/nothing-here")).status).toBe(404);
      expect((await contract.admin("/debug/config", { method: "POST" })).status).toBe(405);
      expect((await contract.admin("/debug/config", { method: "DELETE" })).status).toBe(405);
    });

    test.each([
      ["a page of another site", () => ["Origin: https://example.com"]],
      ["a page from a file", () => ["Origin: null"]],
      ["an image on another site's page", () => ["Sec-Fetch-Site: cross-site"]],
      ["a host name that leads here by DNS rebinding", () => [`Host: rebound.example.com:${port()}`]],
      ["a host name that starts like loopback", () => [`Host: 127.0.0.1.example.com:${port()}`]],
      ["an empty host", () => ["Host:"]],
    ])("answers 403 to %s", async (_, fields) => {
      for (const path of ["/debug/config", "/healthz"]) {
        const response = await contract.admin(path, { fields: fields() });
        expect(response.status).toBe(403);
        expect(response.text()).not.toContain("checksum");
        expect(response.headers.has("access-control-allow-origin")).toBe(false);
      }
    });

    test.each([
      ["by its address", () => `Host: 127.0.0.1:${port()}`],
      ["as localhost", () => `Host: localhost:${port()}`],
      ["through a forwarded port", () => "Host: localhost:1234"],
    ])("answers a program that asks %s", async (_, host) => {
      expect((await contract.admin("/debug/config", { fields: [host()] })).status).toBe(200);
    });

    test("answers what was typed into the address bar", async () => {
      expect((await contract.admin("/debug/config", { fields: ["Sec-Fetch-Site: none"] })).status).toBe(200);
    });
  });
}
