// A control plane that has lost its mind: whatever it sends, the table in use stays, and the router says what is wrong.

import { describe, expect, test } from "vitest";
import type { PushContract } from "./contract.ts";
import { checksumOf, ScriptedControlPlane, snapshotText } from "./scripted-control-plane.ts";
import { Traffic } from "./traffic.ts";

const next = { epoch: "one", revision: 2 };
const noChecksum = "0".repeat(64);

export function describeRubbish(contract: PushContract): void {
  let cases = 0;
  /** A router of its own for each case: it remembers what it applied. */
  const freshId = () => `rubbish-${++cases}`;

  describe("rubbish from the control plane", () => {
    test.each<[string, () => string | Buffer]>([
      ["what is not JSON", () => "{"],
      ["an empty message", () => ""],
      ["JSON that is no message", () => "[1,2,3]"],
      ["an unknown type", () => JSON.stringify({ type: "surprise" })],
      ["a snapshot without a position", () => JSON.stringify({ type: "snapshot" })],
      [
        "a revision that is no number",
        () => snapshotText({ ...next, revision: "2" as never }, contract.table()),
      ],
      ["a head without an end", () => `{"type":"snapshot","epoch":"${"x".repeat(100_000)}`],
      ["a binary message", () => Buffer.from(snapshotText(next, contract.table()))],
      [
        "a message that says the router has what it has not",
        () => JSON.stringify({ type: "current", epoch: "one", revision: 9, checksum: noChecksum }),
      ],
    ])("%s ends the link, and a new one starts from hello", async (_, rubbish) => {
      await using controlPlane = await ScriptedControlPlane.listen();
      const router = await contract.startRouter({ id: freshId(), controlPlaneUrl: controlPlane.url });
      const table = contract.table();
      const link = await controlPlane.nextLink();
      await link.push({ epoch: "one", revision: 1 }, table);
      await using traffic = new Traffic(router.url);
      link.send(rubbish());
      expect((await link.closed).code).toBeGreaterThanOrEqual(1002);
      const again = await controlPlane.nextLink();
      expect(again.hello["have"]).toMatchObject({ epoch: "one", revision: 1 });
      const { lastError, version } = await router.config();
      expect(version).toBe(table.version);
      expect(lastError?.faults.join()).toMatch(/understood|large|big|size/i);
      const later = contract.table();
      await again.push(next, later);
      expect((await router.runs(later)).lastError).toBeNull();
      await traffic.expectUntouched();
    });

    test("a message of 20 MiB ends the link before it is whole", async () => {
      await using controlPlane = await ScriptedControlPlane.listen();
      const router = await contract.startRouter({ id: freshId(), controlPlaneUrl: controlPlane.url });
      const table = contract.table();
      const link = await controlPlane.nextLink();
      await link.push({ epoch: "one", revision: 1 }, table);
      await using traffic = new Traffic(router.url);
      link.send("x".repeat(20 * 1024 * 1024));
      await link.closed;
      const again = await controlPlane.nextLink();
      await again.push(next, contract.table());
      await traffic.expectUntouched();
    });

    test.each<[string, RegExp, () => string]>([
      ["a wrong checksum", /checksum/, () => snapshotText(next, contract.table(), noChecksum)],
      ["a table that is no JSON", /JSON/, () => `${snapshotText(next, {}).split("\n")[0]}\n{"version":`],
      ["no table at all", /./, () => `${snapshotText(next, {}).split("\n")[0]}`],
      ["a table that is not an object", /./, () => snapshotText(next, null)],
    ])("%s is refused, and the link stays", async (_, fault, rubbish) => {
      await using controlPlane = await ScriptedControlPlane.listen();
      const router = await contract.startRouter({ id: freshId(), controlPlaneUrl: controlPlane.url });
      const table = contract.table();
      const link = await controlPlane.nextLink();
      await link.push({ epoch: "one", revision: 1 }, table);
      await using traffic = new Traffic(router.url);
      link.send(rubbish());
      const response = await link.next();
      expect(response).toMatchObject({ type: "nack", ...next });
      expect((response["reasons"] as string[]).join()).toMatch(fault);
      expect(await router.config()).toMatchObject({ version: table.version, connected: true });
      await link.push({ epoch: "one", revision: 3 }, contract.table());
      await traffic.expectUntouched();
    });

    test("an invalid table is refused with every fault, and shown", async () => {
      await using controlPlane = await ScriptedControlPlane.listen();
      const router = await contract.startRouter({ id: freshId(), controlPlaneUrl: controlPlane.url });
      const table = contract.table();
      const link = await controlPlane.nextLink();
      await link.push({ epoch: "one", revision: 1 }, table);
      const broken = contract.table((each) => {
        each.defaultPlacement = "nowhere";
        each.routingTable["acme"] = "atlantis";
        each.placements["tier2"] = { kind: "tier", url: "not a url" };
      });
      link.sendSnapshot(next, broken);
      const { reasons } = (await link.next()) as { reasons: string[] };
      for (const path of ["defaultPlacement", "routingTable.acme", "placements.tier2.url"]) {
        expect(reasons.some((reason) => reason.startsWith(path))).toBe(true);
      }
      const { lastError, version } = await router.config();
      expect(lastError?.faults).toEqual(reasons);
      expect(version).toBe(table.version);
    });

    test("a table with a thousand faults is refused with a message of bounded size", async () => {
      await using controlPlane = await ScriptedControlPlane.listen();
      await contract.startRouter({ id: freshId(), controlPlaneUrl: controlPlane.url });
      const link = await controlPlane.nextLink();
      const broken = contract.table((each) => {
        for (let key = 0; key < 1_000; key++) each.routingTable[`key-${key}`] = "y".repeat(500);
      });
      link.sendSnapshot(next, broken);
      const response = JSON.stringify(await link.next());
      expect(response).toMatch(/more/);
      expect(response.length).toBeLessThan(64 * 1024);
    });

    test("a routing key named __proto__ is one like any other", async () => {
      await using controlPlane = await ScriptedControlPlane.listen();
      const router = await contract.startRouter({ id: freshId(), controlPlaneUrl: controlPlane.url });
      const link = await controlPlane.nextLink();
      const text = JSON.stringify(contract.table()).replace('"acme":', '"__proto__":"tier2","acme":');
      const table: unknown = JSON.parse(text);
      const head = { type: "snapshot", ...next, checksum: checksumOf(table) };
      link.send(`${JSON.stringify(head)}\n${text}`);
      await link.expectAck(next);
      expect(await router.served("__proto__")).toBe("tier2");
    });
  });
}
