// One round of the quickest faults on a real cluster, and the check itself: a fault that was planted for it must be found.
// `run.ts` runs all faults, as often as you like.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engineVersion } from "../../topic.ts";
import { allFaults } from "./all-faults.ts";
import { EtcdGate } from "./etcd-gate.ts";
import { startLyingEtcd } from "./lying-etcd.ts";
import type { Fault } from "./round.ts";
import { runRound } from "./run-faults.ts";
import { startWorld, type World } from "./world.ts";

const quick = ["racing-writers", "node-killed", "leader-killed", "older-backup", "control-plane-killed"];
const isInstalled = engineVersion("etcd") !== undefined;

describe.skipIf(!isInstalled)(
  "nothing that was acknowledged is lost, and every router ends with the newest table",
  () => {
    let world: World;
    beforeAll(async () => {
      world = await startWorld();
    });
    afterAll(() => world[Symbol.asyncDispose]());

    test.each(allFaults.filter(({ name }) => quick.includes(name)))("$name: $title", async (fault) => {
      const { broken, counts } = await runRound(world, fault, 1, 1);
      expect(broken).toBeUndefined();
      expect(counts.stored).toBeGreaterThan(8);
      expect(counts.requests).toBeGreaterThan(8);
    });
  },
);

describe.skipIf(!isInstalled)("the same, when the network between a control plane and etcd breaks", () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({ gate: new EtcdGate(), routers: 1 });
  });
  afterAll(() => world[Symbol.asyncDispose]());

  test.each(allFaults.filter(({ needsGate }) => needsGate))("$name: $title", async (fault) => {
    const { broken } = await runRound(world, fault, 1, 1);
    expect(broken).toBeUndefined();
  });
});

/** Nothing breaks. */
const calm: Fault = {
  name: "calm",
  title: "nothing breaks",
  since: "-",
  run: (round) => round.storedBy(20),
};

test.skipIf(!isInstalled)(
  "finds that a control plane acknowledges writes that etcd has not stored",
  async () => {
    await using world = await startWorld({ between: startLyingEtcd, routers: 1 });
    const { broken } = await runRound(world, calm, 1, 1);
    expect(broken).toMatch(/^No order explains more than \d+ of \d+ operations/);
  },
);
