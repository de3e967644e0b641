// A router starts without its control plane: from the disk, from its bootstrap file, or with 503 until a table comes.

import { chmod, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { eventually } from "../../testkit/eventually.ts";
import type { PushContract, Router } from "./contract.ts";
import { ScriptedControlPlane } from "./scripted-control-plane.ts";

/** Nothing listens on it: a port that was free a moment ago. */
async function nowhere(): Promise<string> {
  await using controlPlane = await ScriptedControlPlane.listen();
  return controlPlane.url;
}

export function describeStartUp(contract: PushContract): void {
  /** Has a router apply and save `table`, and ends both. */
  const savedBy = async (id: string, table = contract.table()): Promise<string> => {
    await using controlPlane = await ScriptedControlPlane.listen();
    const router = await contract.startRouter({ id, controlPlaneUrl: controlPlane.url });
    await (await controlPlane.nextLink()).push({ epoch: "one", revision: 5 }, table);
    const state = join(await contract.folder(id), "state");
    await eventually(() => fileWith(state, table.version), { what: "the snapshot is on disk" });
    await router.kill();
    return state;
  };

  const fileWith = async (folder: string, text: string): Promise<string | undefined> => {
    for (const name of await readdir(folder)) {
      // A number at the end: a file that is still being written, under a name of its own.
      if (/\.\d+$/.test(name)) continue;
      const path = join(folder, name);
      if ((await readFile(path, "utf8")).includes(`"${text}"`)) return path;
    }
    return undefined;
  };

  const isReady = async (router: Router) => (await router.admin("/readyz")).status;

  describe("start without a control plane", () => {
    test("serves the last-known-good snapshot, not the bootstrap file", async () => {
      const table = contract.tableWith("acme", "tier2");
      await savedBy("reboot-1", table);
      const bootstrap = contract.table();
      const router = await contract.startRouter({
        id: "reboot-1",
        controlPlaneUrl: await nowhere(),
        bootstrap,
      });
      expect(await router.served("acme")).toBe("tier2");
      expect(await router.config()).toMatchObject({
        source: "last-known-good",
        version: table.version,
        epoch: "one",
        revision: 5,
        connected: false,
      });
      expect(await isReady(router)).toBe(200);
    });

    test("serves the bootstrap file when nothing was saved, and follows it until a snapshot comes", async () => {
      await using controlPlane = await ScriptedControlPlane.listen();
      const bootstrap = contract.tableWith("acme", "tier2");
      const options = { id: "bootstrap-1", controlPlaneUrl: controlPlane.url };
      const router = await contract.startRouter({ ...options, bootstrap });
      expect(await router.served("acme")).toBe("tier2");
      const link = await controlPlane.nextLink();
      expect(link.hello["have"]).toBeNull();
      const file = join(await contract.folder("bootstrap-1"), "routing.json");
      const edited = contract.tableWith("acme", "tier3");
      await writeFile(file, JSON.stringify(edited));
      await router.runs(edited);
      const pushed = contract.tableWith("acme", "visa");
      await link.push({ epoch: "one", revision: 1 }, pushed);
      await writeFile(file, JSON.stringify(contract.tableWith("acme", "tier1")));
      await link.push({ epoch: "one", revision: 2 }, contract.tableWith("acme", "tier2"));
      // Longer than any follower of a file waits: the file is history now.
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      expect(await router.served("acme")).toBe("tier2");
    });

    test.each([
      ["a missing", undefined],
      ["an invalid", "{"],
    ])("with %s bootstrap file: 503 and not ready until the first snapshot", async (_, bootstrap) => {
      await using controlPlane = await ScriptedControlPlane.listen();
      const id = `empty-${bootstrap?.length ?? 0}`;
      const router = await contract.startRouter({
        id,
        controlPlaneUrl: controlPlane.url,
        ...(bootstrap === undefined ? {} : { bootstrap }),
      });
      expect(await router.served("acme")).toBe("status 503");
      expect(await isReady(router)).toBe(503);
      expect(await router.config()).toMatchObject({ version: null, revision: null });
      await (await controlPlane.nextLink()).push({ epoch: "one", revision: 1 }, contract.table());
      expect(await router.served("acme")).toBe("tier1");
      expect(await isReady(router)).toBe(200);
    });

    test.each<[string, (bytes: Buffer) => Buffer]>([
      ["torn", (bytes) => bytes.subarray(0, bytes.length / 2)],
      ["empty", () => Buffer.alloc(0)],
      ["altered by one letter", (bytes) => Buffer.from(bytes.toString().replace(/"tier1"/, '"tier2"'))],
      ["of another program", () => Buffer.from("#!/bin/sh\n")],
    ])("a saved snapshot that is %s is set aside, and the bootstrap file serves", async (how, damage) => {
      const table = contract.table();
      const id = `damaged-${how.length}`;
      const state = await savedBy(id, table);
      const file = (await fileWith(state, table.version)) ?? "";
      await writeFile(file, damage(await readFile(file)));
      const bootstrap = contract.tableWith("acme", "visa");
      const router = await contract.startRouter({ id, controlPlaneUrl: await nowhere(), bootstrap });
      expect(await router.served("acme")).toBe("visa");
      expect((await readdir(state)).some((name) => name.endsWith(".damaged"))).toBe(true);
    });

    test("an unwritable state folder costs the saved snapshot and nothing else", async () => {
      await using controlPlane = await ScriptedControlPlane.listen();
      const folder = await contract.folder("full-1");
      // A file where the folder should be stops even the superuser.
      await writeFile(join(folder, "state"), "in the way");
      await chmod(join(folder, "state"), 0o400);
      const router = await contract.startRouter({ id: "full-1", controlPlaneUrl: controlPlane.url });
      const link = await controlPlane.nextLink();
      for (let revision = 1; revision <= 3; revision++) {
        const table = contract.table();
        await link.push({ epoch: "one", revision }, table);
        await router.runs(table);
      }
      expect(await router.served("acme")).toBe("tier1");
    });

    test("what was saved is the newest of many that came at once", async () => {
      await using controlPlane = await ScriptedControlPlane.listen();
      const router = await contract.startRouter({ id: "many-1", controlPlaneUrl: controlPlane.url });
      const link = await controlPlane.nextLink();
      let table = contract.table();
      for (let revision = 1; revision <= 40; revision++) {
        table = contract.table();
        link.sendSnapshot({ epoch: "one", revision }, table);
      }
      // Of several that wait, a router may take the newest alone: an ack says what it runs.
      let acked = 0;
      while (acked < 40) {
        const { type, revision } = await link.next();
        expect(type).toBe("ack");
        expect(revision).toBeGreaterThan(acked);
        acked = Number(revision);
      }
      const state = join(await contract.folder("many-1"), "state");
      await eventually(() => fileWith(state, table.version), { what: "the newest is on disk" });
      await router.kill();
      const again = await contract.startRouter({ id: "many-1", controlPlaneUrl: await nowhere() });
      expect(await again.config()).toMatchObject({ version: table.version, revision: 40 });
    });
  });
}
