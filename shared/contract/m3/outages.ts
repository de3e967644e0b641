// The control plane is never in the request path: it is killed, restarted and refused, and no request fails.

import { describe, expect, test } from "vitest";
import type { PushContract } from "./contract.ts";
import { ScriptedControlPlane } from "./scripted-control-plane.ts";
import { Traffic } from "./traffic.ts";

export function describeOutages(contract: PushContract): void {
  describe("outages of the control plane", () => {
    test("killed and restarted: traffic flows, and the next change arrives", async () => {
      const controlPlane = await contract.startControlPlane("killed", contract.table());
      const table = contract.tableWith("acme", "tier2");
      await controlPlane.put(table);
      const router = await contract.startRouter({
        id: "killed-1",
        controlPlaneUrl: controlPlane.url,
        token: controlPlane.token,
      });
      const before = await router.runs(table);
      await using traffic = new Traffic(router.url);

      await controlPlane.kill();
      const during = await router.configWhere("has lost the link", ({ connected }) => !connected);
      expect(during).toMatchObject({ version: table.version, revision: before.revision });
      expect(during.lastError).not.toBeNull();
      expect(await router.served("acme")).toBe("tier2");
      await router.configWhere("grows stale", (config) => config.stalenessSeconds > during.stalenessSeconds);

      await controlPlane.restart();
      const after = await router.configWhere("is back and content", (config) => {
        return config.connected && config.lastError === null;
      });
      expect(after).toMatchObject({ epoch: before.epoch, revision: before.revision });
      const next = contract.tableWith("acme", "tier1");
      await controlPlane.put(next);
      expect((await router.runs(next)).epoch).toBe(before.epoch);
      await traffic.expectUntouched();
    });

    test("stopped: exit code 0, and the routers are told", async () => {
      const controlPlane = await contract.startControlPlane("stopped", contract.table());
      const router = await contract.startRouter({
        id: "stopped-1",
        controlPlaneUrl: controlPlane.url,
        token: controlPlane.token,
      });
      await router.configWhere("is connected", ({ connected }) => connected);
      expect(await controlPlane.stop()).toBe(0);
      await router.configWhere("has lost the link", ({ connected }) => !connected);
    });

    test("a change made while the router was away arrives when it is back", async () => {
      const controlPlane = await contract.startControlPlane("away", contract.table());
      const options = { id: "away-1", controlPlaneUrl: controlPlane.url, token: controlPlane.token };
      const first = await contract.startRouter(options);
      await first.configWhere("runs revision 1", ({ revision }) => revision === 1);
      await first.kill();
      const table = contract.tableWith("acme", "tier2");
      await controlPlane.put(table);
      await controlPlane.routerWhere(
        "away-1",
        "is away and behind",
        (view) => !view.connected && view.lagSeconds > 0,
      );
      const second = await contract.startRouter(options);
      expect((await second.runs(table)).revision).toBe(2);
    });

    test("a wrong token: the router says so, keeps serving, and does not hammer", async () => {
      const controlPlane = await contract.startControlPlane("locked", contract.table());
      const table = contract.table();
      const router = await contract.startRouter({
        id: "locked-1",
        controlPlaneUrl: controlPlane.url,
        token: "not-the-token-of-the-control-plane",
        bootstrap: table,
      });
      await using traffic = new Traffic(router.url);
      const config = await router.configWhere("complains", ({ lastError }) => lastError !== null);
      expect(config.lastError?.faults.join()).toMatch(/token/);
      expect(config).toMatchObject({ connected: false, version: table.version, revision: null });
      expect((await controlPlane.get("/v1/routers")).body.routers).toEqual([]);
      await traffic.expectUntouched();
    });

    test("one that accepts links and drops them is left alone for longer and longer", async () => {
      await using controlPlane = await ScriptedControlPlane.listen();
      const router = await contract.startRouter({
        id: "dropped-1",
        controlPlaneUrl: controlPlane.url,
        bootstrap: contract.table(),
      });
      await using traffic = new Traffic(router.url);
      (await controlPlane.nextLink()).cut();
      const startedAt = performance.now();
      for (let links = 0; links < 4; links++) (await controlPlane.nextLink()).cut();
      // Four waits of up to 1, 2, 4 and 8 s, each drawn from the whole range: this only proves that it does not spin. All four
      // together are shorter once in 200,000 runs.
      expect(performance.now() - startedAt).toBeGreaterThan(300);
      await traffic.expectUntouched();
    });

    test("a table that only comes after refusals is taken all the same", async () => {
      await using controlPlane = await ScriptedControlPlane.listen();
      controlPlane.refuseWith = 503;
      const router = await contract.startRouter({
        id: "refused-1",
        controlPlaneUrl: controlPlane.url,
        bootstrap: contract.table(),
      });
      await router.configWhere("was refused", ({ lastError }) => /503/.test(lastError?.faults.join() ?? ""));
      controlPlane.refuseWith = undefined;
      const table = contract.table();
      await (await controlPlane.nextLink()).push({ epoch: "one", revision: 1 }, table);
      await router.runs(table);
    });
  });
}
