// "Acknowledged means durable, refused means unchanged", whatever the disk does: a crash before each call that the store
// makes, and in the middle of a write; and each call that fails, once or from then on.

import { rename, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { describe, expect, test } from "vitest";
import type { RoutingStore } from "../src/control-plane/store.ts";
import { Crash, faultOf, PlantedDisk } from "./planted-disk.ts";
import { documentOf, StoreWorld } from "./store-world.ts";

const acmeIn = (text: string | undefined): unknown => JSON.parse(text ?? "{}").routingTable?.acme;

/** What a store does, and what the file holds before and after. */
interface Action {
  readonly name: string;
  /** Changes the world before the store acts. */
  readonly prepare: (world: StoreWorld) => Promise<void>;
  readonly act: (world: StoreWorld, store: RoutingStore) => Promise<{ kind: string } | undefined>;
}

const nothing = async () => {};
const gone = ({ historyPath }: StoreWorld): string => `${historyPath}.gone`;

const actions: readonly Action[] = [
  { name: "a write", prepare: nothing, act: (world, store) => world.write(store) },
  {
    name: "a write that brings a missing file back",
    prepare: async (world) => await rename(world.path, gone(world)),
    act: (world, store) => world.write(store),
  },
  {
    name: "an edit that is taken over",
    prepare: async (world) => await writeFile(world.path, JSON.stringify(documentOf("two"))),
    act: async (_, store) => void (await store.reread()),
  },
  {
    name: "a new epoch",
    prepare: nothing,
    act: async (_, store) => {
      const { checksum } = store.current().history;
      await store.renewEpoch({ epoch: "lost", revision: 7, checksum });
      return undefined;
    },
  },
];

/** How many calls it makes when nothing goes wrong. */
async function callsOf({ prepare, act }: Action): Promise<number> {
  await using world = await StoreWorld.make();
  const disk = new PlantedDisk();
  const store = await world.open(disk);
  await prepare(world);
  disk.restart();
  await act(world, store);
  return disk.calls.length;
}

describe.each(actions.filter(({ name }) => !name.includes("missing")))("a crash during $name", (action) => {
  test("and an edit before the next start leave no revision with two contents", async () => {
    for (let at = 0; at <= (await callsOf(action)); at++) {
      await using world = await StoreWorld.make();
      const disk = new PlantedDisk();
      const store = await world.open(disk);
      await action.prepare(world);
      disk.restart((_, index) => {
        if (index === at) throw new Crash();
      });
      await action.act(world, store).catch(() => undefined);
      await writeFile(world.path, JSON.stringify(documentOf("while nobody ran")));
      const next = await world.open();
      expect(next.current().document.version).toBe("while nobody ran");
      world.check();
    }
  });

  test("leaves the old content or the new, and no revision with two contents", async () => {
    const count = await callsOf(action);
    expect(count).toBeGreaterThan(3);
    for (let at = 0; at <= count; at++) {
      await using world = await StoreWorld.make();
      const disk = new PlantedDisk();
      const store = await world.open(disk);
      const before = await world.text();
      await action.prepare(world);
      const prepared = await world.text();
      disk.restart((_, index) => {
        if (index === at) throw new Crash();
      });
      const result = await action.act(world, store).catch(() => undefined);
      // The process that starts next knows only what is on disk.
      const next = await world.open();
      const text = await world.text();
      const [was, is] = [acmeIn(prepared), acmeIn(text)];
      expect([was, "tier2"], `crash before call ${at}, ${disk.calls.at(-1)}`).toContain(is);
      if (result?.kind === "stored") expect(is).toBe("tier2");
      if (action.name !== "a write") expect(text).toBe(prepared);
      expect(await world.leftOver(), `crash before call ${at}, ${disk.calls.at(-1)}`).toEqual([]);
      // What was on disk first comes back as well, and so does the next write: each gets a revision of its own.
      await writeFile(world.path, before ?? "");
      await next.reread();
      await world.write(next, is === "tier2" ? "tier1" : "tier2");
      await next.reread();
      await world.open();
      world.check();
    }
  });
});

test("what is published is on disk by then: the history, the file, and the entries of their folders", async () => {
  const disk = new PlantedDisk();
  await using world = await StoreWorld.make();
  const atPublication: (readonly string[])[] = [];
  const store = await world.open(disk, () => atPublication.push([...disk.calls]));
  disk.restart();
  await world.write(store);
  await writeFile(world.path, JSON.stringify(documentOf("two")));
  await store.reread();
  const [write, edit] = atPublication;
  const order = ["rename control-plane.json.draft control-plane.json", "syncFolder state"];
  const place = ["link .routing.json.draft routing.json", `syncFolder ${basename(world.folder)}`];
  expect(write?.filter((call) => [...order, ...place].includes(call))).toEqual([...order, ...place]);
  expect(edit?.slice(write?.length).filter((call) => order.includes(call))).toEqual(order);
});

describe.each(["ENOSPC", "EROFS", "EIO", "EMFILE"])("%s during", (code) => {
  describe.each(actions)("$name", (action) => {
    test.each([
      ["once", (index: number, at: number) => index === at],
      ["from then on", (index: number, at: number) => index >= at],
    ])("%s: what is refused has changed nothing, and is made up for", async (_, isFaulty) => {
      const count = await callsOf(action);
      for (let at = 0; at < count; at++) {
        await using world = await StoreWorld.make();
        const disk = new PlantedDisk();
        const store = await world.open(disk);
        await action.prepare(world);
        const before = await world.text();
        const etag = store.current().history.revision;
        disk.restart((_, index) => {
          if (isFaulty(index, at)) throw faultOf(code);
        });
        const result = await action.act(world, store);
        const where = `${code} at call ${at}, ${disk.calls[at]}: ${JSON.stringify(result?.kind)}`;
        if (result?.kind === "unwritable" && before !== undefined) {
          expect(await world.text(), where).toBe(before);
          expect(store.current().history.revision, where).toBe(etag);
        }
        if (result !== undefined) expect(["stored", "unwritable", "unknown"], where).toContain(result.kind);
        // A condition that lasts is told once.
        const told = world.faults.length;
        for (let look = 0; look < 3; look++) await store.reread();
        expect(world.faults.length, where).toBeLessThanOrEqual(told + 1);
        disk.restart();
        // Where nothing was written, nothing is there.
        if (before === undefined && result?.kind !== "stored") {
          if ((await world.text()) === undefined) await rename(gone(world), world.path);
        }
        await store.reread();
        const text = await world.text();
        expect(store.lastError(), where).toBeNull();
        // In step again: what the file holds is what is published, whatever the response was.
        expect(JSON.parse(text ?? ""), where).toEqual(store.current().document);
        if (result?.kind === "stored") expect(acmeIn(text), where).toBe("tier2");
        if (result?.kind === "unwritable" && before !== undefined) expect(text, where).toBe(before);
        await world.write(store, acmeIn(text) === "tier2" ? "tier1" : "tier2");
        await store.reread();
        expect(
          (await world.leftOver()).filter((name) => !name.endsWith(".gone")),
          where,
        ).toEqual([]);
        await world.open();
        world.check();
      }
    });
  });
});
