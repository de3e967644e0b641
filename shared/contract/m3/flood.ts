// A control plane that sends valid snapshots without a pause. Each would be taken; all of them together must not take the
// router's time.

import { describe, expect, test } from "vitest";
import type { PushContract } from "./contract.ts";
import { ScriptedControlPlane, snapshotText } from "./scripted-control-plane.ts";
import { Traffic } from "./traffic.ts";

export function describeFlood(contract: PushContract): void {
  describe("a control plane that never stops sending", () => {
    test.each([
      ["small", 10],
      ["middling", 1_500],
      ["large", 20_000],
    ])("%s tables: requests are served, and the last table wins when it stops", async (size, keys) => {
      await using controlPlane = await ScriptedControlPlane.listen();
      const table = contract.table((each) => {
        for (let key = 0; key < keys; key++) each.routingTable[`tenant-${key}`] = "tier1";
      });
      let revision = 0;
      const next = () =>
        snapshotText({ epoch: "flood", revision: ++revision }, { ...table, version: `f${revision}` });
      // From the first moment on: the router starts in the middle of it.
      const linked = controlPlane.nextLink();
      const stop = new AbortController();
      const flooding = linked.then((link) => link.flood(next, stop.signal));
      const router = await contract.startRouter({ id: `flood-${size}`, controlPlaneUrl: controlPlane.url });
      await router.configWhere("runs one of them", (config) => config.revision !== null);
      await using traffic = new Traffic(router.url);
      const before = (await router.config()).revision ?? 0;
      await router.configWhere("runs some more", (config) => (config.revision ?? 0) > before + 2);
      stop.abort();
      await flooding;
      const last = { ...table, version: "the-last-one" };
      (await linked).sendSnapshot({ epoch: "flood", revision: ++revision }, last);
      const config = await router.runs(last);
      expect(config).toMatchObject({ revision, connected: true, lastError: null });
      await traffic.expectUntouched();
    });

    test("pings, empty pieces and repetitions are no way around that", async () => {
      await using controlPlane = await ScriptedControlPlane.listen();
      const router = await contract.startRouter({ id: "flood-pings", controlPlaneUrl: controlPlane.url });
      const link = await controlPlane.nextLink();
      const table = contract.table();
      await link.push({ epoch: "one", revision: 1 }, table);
      await using traffic = new Traffic(router.url);
      const again = snapshotText({ epoch: "one", revision: 1 }, table);
      const stop = new AbortController();
      const flooding = Promise.all([link.flood(() => again, stop.signal), link.floodWithPings(stop.signal)]);
      const { appliedAt } = (await router.config()) as { appliedAt?: unknown };
      for (let look = 0; look < 40; look++) {
        expect(await router.served("acme")).toBe("tier1");
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      stop.abort();
      await flooding;
      expect(await router.config()).toMatchObject({ version: table.version, appliedAt });
      await traffic.expectUntouched();
    });
  });
}
