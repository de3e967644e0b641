// One store has one owner, and what it has acknowledged is there after whatever happens to its process or its disk.

import { readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { eventually } from "../../testkit/eventually.ts";
import type { ControlPlane, PushContract } from "./contract.ts";
import { HistoryWatcher } from "./history-watcher.ts";

const keyPath = (key: string) => `/v1/routing/keys/${key}`;

export function describeOwnership(contract: PushContract): void {
  /** Another control plane on the files of `controlPlane`; resolves with what it says when it does not start. */
  const refusal = async (controlPlane: ControlPlane): Promise<string> => {
    const { stateDir, routingFile } = controlPlane;
    const second = contract.target.startControlPlane({ port: 0, stateDir, routingFile });
    return await second.then(
      async (running) => {
        await running.kill();
        return "it started";
      },
      (error: Error) => error.message,
    );
  };

  describe("the owner of a store", () => {
    test("is one: a second control plane ends with exit code 1 and names the store and the first one", async () => {
      const controlPlane = await contract.startControlPlane("owned", contract.table());
      const words = await refusal(controlPlane);
      expect(words).toMatch(/exit code 1/);
      expect(words).toContain(controlPlane.routingFile);
      expect(words).toMatch(/in use by another control plane, process \d+/);
      expect((await controlPlane.put(contract.table())).status).toBe(200);
    });

    test("may stand still, but when it is dead the next one starts at once", async () => {
      const controlPlane = await contract.startControlPlane("stopped-owner", contract.table());
      controlPlane.signal("SIGSTOP");
      expect(await refusal(controlPlane)).toMatch(/exit code 1/);
      await controlPlane.kill();
      await controlPlane.restart();
      expect((await controlPlane.get()).status).toBe(200);
    });

    test("stops writing and publishing, and ends, when its lock is gone", async () => {
      const controlPlane = await contract.startControlPlane("robbed", contract.table());
      await using watcher = new HistoryWatcher(controlPlane);
      await eventually(() => watcher.seen === 1, { what: "the first revision is seen" });
      const before = await readFile(controlPlane.routingFile, "utf8");
      const { etag } = await controlPlane.get();
      await rename(controlPlane.stateDir, `${controlPlane.stateDir}-gone`);
      const response = await controlPlane
        .write("PATCH", keyPath("acme"), { placement: "tier2" }, etag ?? "")
        .catch(() => undefined);
      // It may have noticed by itself before the request came.
      if (response !== undefined)
        expect(response).toMatchObject({ status: 503, body: { code: "store-unwritable" } });
      expect(await controlPlane.exited()).toBe(1);
      expect(await readFile(controlPlane.routingFile, "utf8")).toBe(before);
      expect(watcher.seen).toBe(1);
      await rename(`${controlPlane.stateDir}-gone`, controlPlane.stateDir);
      await controlPlane.restart();
      expect((await controlPlane.get()).etag).toBe(etag);
    });
  });

  describe("what is acknowledged", () => {
    test("survives a kill at any moment, and no revision is ever given to two contents", {
      timeout: 120_000,
    }, async () => {
      const controlPlane = await contract.startControlPlane("kills", contract.table());
      await using watcher = new HistoryWatcher(controlPlane);
      const acknowledged = new Map<string, string>();
      let writes = 0;
      for (let round = 0; round < 10; round++) {
        let isDead = false;
        const writer = async (name: number): Promise<void> => {
          for (let own = round; !isDead; own++) {
            // A write that changed nothing would make no revision.
            const [key, placement] = [`writer-${name}`, own % 2 === 0 ? "tier1" : "tier2"];
            writes += 1;
            const response = await controlPlane
              .write("PATCH", keyPath(key), { placement }, "*")
              .catch(() => undefined);
            if (response?.status === 200) acknowledged.set(key, placement);
            // Cut off in the middle: it may have happened, or not.
            else acknowledged.delete(key);
          }
        };
        const writers = [0, 1, 2, 3].map(writer);
        const [before, { seen }] = [writes, watcher];
        await eventually(() => writes >= before + 6 + round && watcher.seen > seen, {
          what: "some writes, and the watcher sees one",
          everyMs: 1,
        });
        await controlPlane.kill();
        isDead = true;
        await Promise.all(writers);
        await controlPlane.restart();
        const { routingTable } = (await controlPlane.get()).body;
        for (const [key, placement] of acknowledged) expect(routingTable[key]).toBe(placement);
      }
      expect(watcher.problems).toEqual([]);
      await controlPlane.stop();
      // What a kill leaves beside the files is gone with the next start.
      const left = [...(await readdir(controlPlane.folder)), ...(await readdir(controlPlane.stateDir))];
      expect(left.filter((name) => /draft|old|undone|edited|\.\d+$/.test(name))).toEqual([]);
    });

    test("an edit by hand during a write is not lost, valid or not", async () => {
      const controlPlane = await contract.startControlPlane("edited", contract.table());
      for (let round = 0; round < 30; round++) {
        const { etag } = await controlPlane.get();
        const isValid = round % 3 !== 0;
        const edited = contract.tableWith("acme", round % 2 === 0 ? "visa" : "tier2");
        const text = isValid ? JSON.stringify(edited) : `{"version":"half ${round}`;
        const late = controlPlane.write("PATCH", keyPath(`new-${round}`), { placement: "tier1" }, etag ?? "");
        await new Promise((resolve) => setTimeout(resolve, round % 10));
        if (round % 2 === 0) await writeFile(controlPlane.routingFile, text);
        else {
          await writeFile(`${controlPlane.routingFile}.swp`, text);
          await rename(`${controlPlane.routingFile}.swp`, controlPlane.routingFile);
        }
        const { status } = await late;
        expect([200, 412]).toContain(status);
        expect(await readFile(controlPlane.routingFile, "utf8")).toBe(text);
        if (isValid) {
          const isCurrent = async () => (await controlPlane.get()).body.version === edited.version;
          await eventually(isCurrent, { what: "the edit is published" });
        } else {
          const again = await controlPlane.write("PATCH", keyPath("late"), { placement: "tier1" });
          expect(again).toMatchObject({ status: 412, body: { code: "routing-file-invalid" } });
          expect(again.body.faults).toEqual([expect.stringMatching(/JSON/)]);
          expect(await readFile(controlPlane.routingFile, "utf8")).toBe(text);
          await writeFile(controlPlane.routingFile, JSON.stringify(contract.table()));
          const isMended = async () => (await controlPlane.get("/healthz")).body.storeFault === null;
          await eventually(isMended, { what: "the file is mended" });
        }
      }
      const names = await readdir(controlPlane.folder);
      for (const name of names.filter((each) => each.includes(".edited-"))) {
        // Kept, because it came when the file had been replaced already.
        await rm(join(controlPlane.folder, name));
      }
    });
  });
}
