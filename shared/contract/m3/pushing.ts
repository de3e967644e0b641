// The ordinary day: a change at the control plane reaches every router, and everybody can see that it did.

import { readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { PushContract } from "./contract.ts";
import { Traffic } from "./traffic.ts";

/** Size of what is saved for good in `folder`: files that are still being written have a number at the end. */
async function savedBytes(folder: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(folder)) {
    if (!/\.\d+$/.test(name)) bytes += (await stat(join(folder, name))).size;
  }
  return bytes;
}

export function describePushing(contract: PushContract): void {
  describe("pushing", () => {
    test("reaches three routers while they serve, and the control plane knows it", async () => {
      const controlPlane = await contract.startControlPlane("three", contract.table());
      const routers = await Promise.all(
        ["three-1", "three-2", "three-3"].map((id) =>
          contract.startRouter({ id, controlPlaneUrl: controlPlane.url, token: controlPlane.token }),
        ),
      );
      for (const router of routers)
        await router.configWhere("runs revision 1", ({ revision }) => revision === 1);
      const traffic = routers.map((router) => new Traffic(router.url));
      const table = contract.tableWith("acme", "tier2");
      const { etag } = await controlPlane.put(table);
      for (const router of routers) {
        const config = await router.runs(table);
        expect(config.source).toBe("control-plane");
        expect(`"${config.epoch}.${config.revision}"`).toBe(etag);
        expect(config.lastError).toBeNull();
        expect(await router.served("acme")).toBe("tier2");
        const view = await controlPlane.routerWhere(
          router.id,
          "is up to date",
          (each) => each.lagSeconds === 0,
        );
        expect(view).toMatchObject({ connected: true, revision: config.revision, lastNack: null });
      }
      for (const each of traffic) await each.expectUntouched();
    });

    test("one key at a time: set, and removed again", async () => {
      const controlPlane = await contract.startControlPlane("keys", contract.table());
      const router = await contract.startRouter({
        id: "keys-1",
        controlPlaneUrl: controlPlane.url,
        token: controlPlane.token,
      });
      await router.configWhere("is connected", ({ revision }) => revision === 1);
      await controlPlane.write("PATCH", "/v1/routing/keys/newcomer", { placement: "tier1" });
      await router.configWhere("runs revision 2", ({ revision }) => revision === 2);
      expect(await router.served("newcomer")).toBe("tier1");
      await controlPlane.write("PATCH", "/v1/routing/keys/newcomer", { placement: null });
      await router.configWhere("runs revision 3", ({ revision }) => revision === 3);
      expect(await router.served("newcomer")).toBe("tier3");
    });

    test("an edit of the control plane's file by hand is pushed, and a broken one is not", async () => {
      const controlPlane = await contract.startControlPlane("by-hand", contract.table());
      const router = await contract.startRouter({
        id: "by-hand-1",
        controlPlaneUrl: controlPlane.url,
        token: controlPlane.token,
      });
      const table = contract.tableWith("acme", "visa");
      await writeFile(controlPlane.routingFile, JSON.stringify(table));
      expect((await router.runs(table)).revision).toBe(2);
      await writeFile(controlPlane.routingFile, '{"version":');
      await expect
        .poll(async () => (await controlPlane.get("/healthz")).body.storeFault, { timeout: 10_000 })
        .toEqual(expect.any(String));
      expect(await router.config()).toMatchObject({ version: table.version, revision: 2 });
      const mended = contract.tableWith("acme", "tier1");
      await writeFile(controlPlane.routingFile, JSON.stringify(mended));
      expect((await router.runs(mended)).revision).toBe(3);
      expect((await controlPlane.get("/healthz")).body.storeFault).toBeNull();
    });

    test("a write through the API right after an edit by hand does not undo it", async () => {
      const controlPlane = await contract.startControlPlane("by-hand-2", contract.table());
      // Which of the two the control plane sees first is a matter of milliseconds, so it is tried more than once.
      for (let round = 0; round < 10; round++) {
        const { etag } = await controlPlane.get();
        const edited = contract.tableWith("acme", round % 2 === 0 ? "visa" : "tier2");
        await writeFile(controlPlane.routingFile, JSON.stringify(edited));
        const path = `/v1/routing/keys/newcomer-${round}`;
        const late = await controlPlane.write("PATCH", path, { placement: "tier1" }, etag ?? "");
        expect(late.status).toBe(412);
        expect((await controlPlane.get()).body.routingTable).toEqual(edited.routingTable);
      }
    });

    test("a table of 100,000 keys arrives under traffic, and is there again after a restart", async () => {
      const controlPlane = await contract.startControlPlane("large", contract.table());
      const options = { id: "large-1", controlPlaneUrl: controlPlane.url, token: controlPlane.token };
      const router = await contract.startRouter(options);
      await router.configWhere("runs revision 1", ({ revision }) => revision === 1);
      const traffic = new Traffic(router.url);
      const table = contract.table((each) => {
        for (let key = 0; key < 100_000; key++) each.routingTable[`tenant-${key}`] = "tier2";
      });
      await controlPlane.put(table);
      // A second or two; far more on a machine that does much else.
      await router.runs(table);
      expect(await router.served("tenant-99999")).toBe("tier2");
      await controlPlane.routerWhere("large-1", "is up to date", ({ lagSeconds }) => lagSeconds === 0);
      await traffic.expectUntouched();
      // Long after the acknowledgement the snapshot may still be on its way to the disk.
      const state = join(await contract.folder("large-1"), "state");
      await expect.poll(() => savedBytes(state), { timeout: 20_000 }).toBeGreaterThan(1_000_000);
      await router.kill();
      await controlPlane.kill();
      const again = await contract.startRouter(options);
      expect(await again.config()).toMatchObject({ version: table.version, source: "last-known-good" });
      expect(await again.served("tenant-99999")).toBe("tier2");
    });

    test("a flood of changes ends with every router on the last one", async () => {
      const controlPlane = await contract.startControlPlane("flood", contract.table());
      const router = await contract.startRouter({
        id: "flood-1",
        controlPlaneUrl: controlPlane.url,
        token: controlPlane.token,
      });
      await router.configWhere("runs revision 1", ({ revision }) => revision === 1);
      await using traffic = new Traffic(router.url);
      for (let round = 0; round < 50; round++) {
        const placement = round % 2 === 0 ? "tier1" : "tier2";
        const response = await controlPlane.write("PATCH", "/v1/routing/keys/acme", { placement });
        expect(response.status).toBe(200);
      }
      const config = await router.configWhere("runs revision 50", ({ revision }) => revision === 50);
      expect(config.lastError).toBeNull();
      await traffic.expectUntouched();
    });
  });
}
