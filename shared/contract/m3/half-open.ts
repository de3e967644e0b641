// A link whose other end is gone without a word: both ends have to find out by themselves.

import { describe, expect, test } from "vitest";
import type { PushContract } from "./contract.ts";
import { SilentWire } from "./silent-wire.ts";
import { Traffic } from "./traffic.ts";

/** Ten seconds are the promise; the rest is for a busy machine. */
const foundWithinMs = 20_000;

export function describeHalfOpen(contract: PushContract): void {
  describe("a half-open link", () => {
    test("is found by both ends within 10 s, and the router comes back with what it missed", async () => {
      const controlPlane = await contract.startControlPlane("half-open", contract.table());
      await using wire = await SilentWire.to(controlPlane.port);
      const router = await contract.startRouter({
        id: "half-open-1",
        controlPlaneUrl: `ws://127.0.0.1:${wire.port}/v1/connect`,
        token: controlPlane.token,
      });
      await router.configWhere("runs revision 1", ({ revision }) => revision === 1);
      await using traffic = new Traffic(router.url);
      wire.silence();
      const missed = contract.tableWith("acme", "visa");
      await controlPlane.put(missed);
      await Promise.all([
        router.configWhere("finds the link dead", ({ connected }) => !connected, foundWithinMs),
        controlPlane.routerWhere("half-open-1", "is gone", (view) => !view.connected, foundWithinMs),
      ]);
      expect(await router.config()).toMatchObject({ revision: 1 });
      wire.mend();
      await router.configWhere("runs revision 2", ({ revision }) => revision === 2);
      expect(await router.served("acme")).toBe("visa");
      await traffic.expectUntouched();
    });

    test("a quiet link that is alive is left alone", async () => {
      const controlPlane = await contract.startControlPlane("quiet", contract.table());
      const router = await contract.startRouter({
        id: "quiet-1",
        controlPlaneUrl: controlPlane.url,
        token: controlPlane.token,
      });
      await router.configWhere("runs revision 1", ({ revision }) => revision === 1);
      const staleness: number[] = [];
      const deadline = performance.now() + 12_000;
      while (performance.now() < deadline) {
        const config = await router.config();
        expect(config).toMatchObject({ connected: true, lastError: null });
        staleness.push(config.stalenessSeconds);
        await new Promise((resolve) => setTimeout(resolve, 250));
      }
      // It grows by itself; only a word from the other end brings it down.
      const confirmed = staleness.filter((seconds, at) => seconds < (staleness[at - 1] ?? 0));
      expect(confirmed.length, `staleness: ${staleness.join(", ")} s`).toBeGreaterThanOrEqual(2);
    });
  });
}
