// Revisions and epochs: the table never goes back by accident, and does go back when an operator wants it to.

import { readdir, rm, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import type { PushContract } from "./contract.ts";
import { ScriptedControlPlane } from "./scripted-control-plane.ts";
import { Traffic } from "./traffic.ts";

export function describeHistory(contract: PushContract): void {
  describe("history", () => {
    test("an older revision of the same epoch is ignored, and the same one changes nothing", async () => {
      await using controlPlane = await ScriptedControlPlane.listen();
      const router = await contract.startRouter({ id: "stale-1", controlPlaneUrl: controlPlane.url });
      const link = await controlPlane.nextLink();
      const [older, newer] = [contract.table(), contract.table()];
      await link.push({ epoch: "one", revision: 7 }, newer);
      const { appliedAt } = (await router.runs(newer)) as { appliedAt?: unknown };
      link.sendSnapshot({ epoch: "one", revision: 6 }, older);
      await link.expectAck({ epoch: "one", revision: 7 });
      link.sendSnapshot({ epoch: "one", revision: 7 }, newer);
      await link.expectAck({ epoch: "one", revision: 7 });
      expect(await router.config()).toMatchObject({ version: newer.version, revision: 7, appliedAt });
    });

    test("the same revision with other content is refused", async () => {
      await using controlPlane = await ScriptedControlPlane.listen();
      const router = await contract.startRouter({ id: "forked-1", controlPlaneUrl: controlPlane.url });
      const link = await controlPlane.nextLink();
      const table = contract.table();
      await link.push({ epoch: "one", revision: 7 }, table);
      link.sendSnapshot({ epoch: "one", revision: 7 }, contract.table());
      expect(await link.next()).toMatchObject({ type: "nack", epoch: "one", revision: 7 });
      expect(await router.config()).toMatchObject({ version: table.version });
    });

    test("a new epoch is taken whatever its revision", async () => {
      await using controlPlane = await ScriptedControlPlane.listen();
      const router = await contract.startRouter({ id: "epoch-1", controlPlaneUrl: controlPlane.url });
      const link = await controlPlane.nextLink();
      await link.push({ epoch: "one", revision: 900 }, contract.table());
      const table = contract.table();
      await link.push({ epoch: "two", revision: 1 }, table);
      expect(await router.runs(table)).toMatchObject({ epoch: "two", revision: 1 });
    });

    test("a late snapshot of an epoch that the link has left is ignored", async () => {
      await using controlPlane = await ScriptedControlPlane.listen();
      const router = await contract.startRouter({ id: "left-1", controlPlaneUrl: controlPlane.url });
      const link = await controlPlane.nextLink();
      await link.push({ epoch: "one", revision: 1 }, contract.table());
      const table = contract.table();
      await link.push({ epoch: "two", revision: 1 }, table);
      link.sendSnapshot({ epoch: "one", revision: 2 }, contract.table());
      await link.expectAck({ epoch: "two", revision: 1 });
      expect(await router.config()).toMatchObject({ version: table.version, epoch: "two" });
    });

    test("the hello says what the router has, and nothing is sent when that is the newest", async () => {
      await using controlPlane = await ScriptedControlPlane.listen();
      const router = await contract.startRouter({ id: "hello-1", controlPlaneUrl: controlPlane.url });
      const first = await controlPlane.nextLink();
      expect(first.hello).toMatchObject({ type: "hello", protocol: 1, routerId: "hello-1", have: null });
      expect(first.authorization).toMatch(/^Bearer \S+$/);
      await first.push({ epoch: "one", revision: 3 }, contract.table());
      first.cut();
      const second = await controlPlane.nextLink();
      const have = second.hello["have"] as { checksum: string };
      expect(have).toMatchObject({ epoch: "one", revision: 3 });
      second.send(JSON.stringify({ type: "current", ...have }));
      await second.expectAck({ epoch: "one", revision: 3 });
      await router.configWhere("is content", ({ connected, lastError }) => connected && lastError === null);
    });

    test("restored from an older backup, the control plane wins the whole fleet back", async () => {
      const old = contract.tableWith("acme", "tier1");
      const controlPlane = await contract.startControlPlane("restored", old);
      const routers = await Promise.all(
        ["restored-1", "restored-2"].map((id) =>
          contract.startRouter({ id, controlPlaneUrl: controlPlane.url, token: controlPlane.token }),
        ),
      );
      for (const router of routers) await router.runs(old);
      await controlPlane.backUp("monday");
      const newer = contract.tableWith("acme", "tier2");
      await controlPlane.put(newer);
      await controlPlane.write("PATCH", "/v1/routing/keys/globex", { placement: "tier3" });
      for (const router of routers)
        await router.configWhere("runs revision 3", ({ revision }) => revision === 3);
      const { epoch } = (await controlPlane.get("/healthz")).body;
      const traffic = routers.map((router) => new Traffic(router.url));

      await controlPlane.kill();
      await controlPlane.restore("monday");
      await controlPlane.restart();
      for (const router of routers) {
        const config = await router.runs(old);
        expect(config.epoch).not.toBe(epoch);
        expect(await router.served("acme")).toBe("tier1");
      }
      const later = contract.tableWith("acme", "visa");
      await controlPlane.put(later);
      for (const router of routers) await router.runs(later);
      for (const each of traffic) await each.expectUntouched();
    });

    test("with its history lost and its file kept, the control plane begins a new epoch", async () => {
      const table = contract.table();
      const controlPlane = await contract.startControlPlane("forgetful", table);
      const router = await contract.startRouter({
        id: "forgetful-1",
        controlPlaneUrl: controlPlane.url,
        token: controlPlane.token,
      });
      const before = await router.runs(table);
      await controlPlane.stop();
      for (const name of await readdir(`${controlPlane.folder}/state`)) {
        if (!name.includes("token")) await rm(`${controlPlane.folder}/state/${name}`);
      }
      await controlPlane.restart();
      const after = await router.configWhere("runs a new epoch", ({ epoch }) => epoch !== before.epoch);
      expect(after).toMatchObject({ version: table.version, revision: 1 });
    });

    test("a restart keeps epoch and revision; an edit meanwhile is the next revision", async () => {
      const controlPlane = await contract.startControlPlane("kept", contract.table());
      await controlPlane.put(contract.table());
      const { etag } = await controlPlane.get();
      await controlPlane.kill();
      await controlPlane.restart();
      expect((await controlPlane.get()).etag).toBe(etag);
      await controlPlane.stop();
      await writeFile(controlPlane.routingFile, JSON.stringify(contract.table()));
      await controlPlane.restart();
      expect((await controlPlane.get()).etag).toBe(etag?.replace(/\.2"$/, '.3"'));
    });
  });
}
