// The protocol against every network that fast-check can think of. Two promises: a router never applies a table that is
// invalid or older than what it had, and once the faults end, every router comes to run what the control plane has.

import fc from "fast-check";
import { expect, test } from "vitest";
import { rubbishAfter, SimulatedControlPlane, SimulatedRouter } from "./simulated-fleet.ts";

class World {
  readonly faults: string[] = [];
  readonly controlPlane = new SimulatedControlPlane();
  readonly routers = ["a", "b", "c"].map(
    (id) => new SimulatedRouter(id, this.controlPlane, (words) => this.faults.push(`${id}: ${words}`)),
  );

  router(index: number): SimulatedRouter {
    return this.routers[index % this.routers.length] as SimulatedRouter;
  }

  async connectAll(): Promise<void> {
    for (const router of this.routers) {
      router.connect();
      await this.settle();
    }
  }

  dropAllLinks(): void {
    for (const router of this.routers) router.disconnect();
  }

  /** Delivers in order until nothing is on its way. @throws Error when that does not come to an end */
  async settle(): Promise<void> {
    for (let rounds = 0; rounds < 1_000; rounds++) {
      let moved = false;
      for (const router of this.routers) {
        if (await router.deliver("up")) moved = true;
        if (await router.deliver("down")) moved = true;
      }
      if (!moved) return;
    }
    throw new Error("The two ends never stop talking");
  }

  /** The faults end: what has lost a message gets a new link. A link that lost nothing must do as it is. */
  async heal(): Promise<void> {
    for (const router of this.routers) if (!router.linkIsSound) router.connect();
    await this.settle();
  }
}

type Action = readonly [name: string, run: (world: World) => unknown];

class Step implements fc.AsyncCommand<object, World> {
  readonly #action: Action;

  constructor(action: Action) {
    this.#action = action;
  }

  check(): boolean {
    return true;
  }

  async run(_: object, world: World): Promise<void> {
    await this.#action[1](world);
    expect(world.faults).toEqual([]);
  }

  toString(): string {
    return this.#action[0];
  }
}

const router = fc.nat(2);
const number = fc.nat(20);

function step<T>(values: fc.Arbitrary<T>, action: (value: T) => Action) {
  return values.map((value) => new Step(action(value)));
}

const steps = [
  step(number, (content) => [`publish(${content})`, (world) => world.controlPlane.publish(content)]),
  step(number, (content) => [
    `publish(${content + 21})`,
    (world) => world.controlPlane.publish(content + 21),
  ]),
  step(router, (index) => [`connect(${index})`, (world) => world.router(index).connect()]),
  step(router, (index) => [`connect(${index})`, (world) => world.router(index).connect()]),
  step(router, (index) => [`disconnect(${index})`, (world) => world.router(index).disconnect()]),
  step(router, (index) => [`down(${index})`, (world) => world.router(index).deliver("down")]),
  step(router, (index) => [`up(${index})`, (world) => world.router(index).deliver("up")]),
  step(fc.constant(0), () => ["connectAll", (world) => world.connectAll()]),
  step(fc.constant(0), () => ["settle", (world) => world.settle()]),
  step(router, (index) => [`lose(${index})`, (world) => world.router(index).disturb("lose")]),
  step(router, (index) => [`repeat(${index})`, (world) => world.router(index).disturb("repeat")]),
  step(router, (index) => [`replay(${index})`, (world) => world.router(index).disturb("replay")]),
  step(router, (index) => [`swap(${index})`, (world) => world.router(index).disturb("swap")]),
  step(fc.tuple(router, fc.boolean()), ([index, inTime]) => [
    `restartRouter(${index}, ${inTime})`,
    (world) => world.router(index).restart(inTime),
  ]),
  step(fc.constant(0), () => ["strangerComes", (world) => world.controlPlane.strangerComes()]),
  step(fc.constant(0), () => ["backUp", (world) => world.controlPlane.backUp()]),
  step(fc.constant(0), () => [
    "restartControlPlane",
    (world) => {
      world.dropAllLinks();
      world.controlPlane.restart();
    },
  ]),
  step(number, (which) => [
    `restore(${which})`,
    (world) => {
      world.dropAllLinks();
      world.controlPlane.restore(which);
    },
  ]),
  step(fc.tuple(router, fc.nat(6)), ([index, which]) => [
    `inject(${index}, ${which})`,
    (world) => world.router(index).inject(rubbishAfter(world.controlPlane.position)[which] as Uint8Array),
  ]),
];

test("never applies an invalid or older table, and converges once the faults end", async () => {
  await fc.assert(
    fc.asyncProperty(fc.commands(steps, { maxCommands: 80, size: "max" }), async (commands) => {
      const world = new World();
      await fc.asyncModelRun(() => ({ model: {}, real: world }), commands);
      await world.heal();
      expect(world.faults).toEqual([]);
      for (const each of world.routers) expect(each.held).toMatchObject(plain(world.controlPlane.position));
    }),
    { numRuns: 400 },
  );
});

function plain({ epoch, revision, checksum }: { epoch: string; revision: number; checksum: string }) {
  return { epoch, revision, checksum };
}
