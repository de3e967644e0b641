// m3: a control plane pushes revisions to a fleet, and something goes wrong. Every router keeps serving from memory; what
// it holds is decided by the stage's own rules, and when it comes back by the stage's own backoff.

import { nextDelayMs } from "../../stages/m3/src/backoff.ts";
import { encodeSnapshot } from "../../stages/m3/src/protocol.ts";
import { EventQueue } from "./event-queue.ts";
import {
  bytesOf,
  checksumOf,
  documentOf,
  type Saved,
  SimControlPlane,
  type SimLink,
  SimRouter,
} from "./fleet-network.ts";
import { between, seededRandom } from "./random.ts";
import {
  numberOf,
  type SimEvent,
  type Simulation,
  seedParameter,
  type Tone,
  textOf,
  type Values,
} from "./simulation.ts";

export interface RouterState {
  readonly id: string;
  readonly isLinked: boolean;
  readonly epoch: string | undefined;
  readonly revision: number | undefined;
  readonly served: number;
  readonly failed: number;
}

export interface FleetState {
  readonly controlPlane: { readonly isUp: boolean; readonly epoch: string; readonly revision: number };
  readonly routers: readonly RouterState[];
}

/** Settings of `control-plane-client.ts`. */
const backoff = { baseMs: 1_000, capMs: 60_000 };
const requestEveryMs = 250;

export const fleetSim: Simulation<FleetState> = {
  name: "fleet",
  durationMs: 24_000,
  parameters: [
    seedParameter,
    { kind: "number", name: "routers", label: "Routers", min: 1, max: 8, step: 1, value: 5 },
    {
      kind: "choice",
      name: "trouble",
      label: "What happens at 6 s",
      choices: [
        { value: "kill", label: "the control plane is killed until 12 s" },
        { value: "restore", label: "it is killed, and comes back from an old backup" },
        { value: "damage", label: "a push arrives damaged at one router" },
        { value: "cut", label: "one router loses its link" },
        { value: "none", label: "nothing" },
      ],
      value: "kill",
    },
    {
      kind: "number",
      name: "latency",
      label: "Slowest message",
      unit: "ms",
      min: 1,
      max: 2000,
      step: 1,
      value: 80,
    },
  ],
  before: (values) => ({
    controlPlane: { isUp: true, epoch: "epoch-1", revision: 1 },
    routers: namesOf(values).map((id) => ({
      id,
      isLinked: false,
      epoch: undefined,
      revision: undefined,
      served: 0,
      failed: 0,
    })),
  }),
  run: (values) => new FleetRun(values).run(),
};

function namesOf(values: Values): string[] {
  return Array.from({ length: numberOf(values, "routers") }, (_, index) => `router-${index + 1}`);
}

class FleetRun {
  readonly #values: Values;
  readonly #random: () => number;
  readonly #queue = new EventQueue();
  readonly #events: SimEvent<FleetState>[] = [];
  readonly #controlPlane: SimControlPlane;
  readonly #routers: readonly SimRouter[];
  readonly #counts = new Map<string, { served: number; failed: number }>();
  #isUp = true;
  #backup: Saved | undefined;
  #damageNext = false;

  constructor(values: Values) {
    this.#values = values;
    this.#random = seededRandom(numberOf(values, "seed"));
    this.#controlPlane = new SimControlPlane(
      () => this.#queue.nowMs,
      (epoch) =>
        this.#emit("control plane", `a router has what this store never gave out: ${epoch} begins`, "warn"),
    );
    this.#routers = namesOf(values).map((id) => new SimRouter(id));
    for (const { id } of this.#routers) this.#counts.set(id, { served: 0, failed: 0 });
  }

  run(): readonly SimEvent<FleetState>[] {
    const queue = this.#queue;
    for (const router of this.#routers) queue.at(between(this.#random, 0, 400), () => this.#connect(router));
    for (const router of this.#routers) this.#serve(router);
    queue.at(1_000, () => {
      this.#backup = this.#controlPlane.saved;
    });
    queue.at(3_000, () => this.#publish(2));
    this.#planTrouble(textOf(this.#values, "trouble"));
    queue.at(18_000, () => this.#publish(3));
    queue.runUntil(fleetSim.durationMs);
    return this.#events;
  }

  #planTrouble(trouble: string): void {
    const queue = this.#queue;
    const last = this.#routers.at(-1);
    if (trouble === "kill" || trouble === "restore") {
      queue.at(6_000, () => this.#kill());
      queue.at(12_000, () => this.#restart(trouble === "restore"));
    } else if (trouble === "cut") {
      queue.at(6_000, () => last && this.#cut(last, "loses its link"));
    } else if (trouble === "damage") {
      queue.at(6_000, () => {
        this.#damageNext = true;
        this.#publish(4);
      });
    }
  }

  #publish(content: number): void {
    if (!this.#isUp) return;
    const { revision } = this.#controlPlane.saved.history;
    this.#emit("operator", `puts a new table; it becomes revision ${revision + 1}`, "info");
    this.#controlPlane.publish(content);
  }

  #kill(): void {
    this.#isUp = false;
    this.#emit("control plane", "is killed", "bad");
    for (const router of this.#routers)
      if (router.link !== undefined) this.#cut(router, "has lost the control plane, and serves on");
  }

  #restart(fromBackup: boolean): void {
    this.#isUp = true;
    this.#controlPlane.restart(fromBackup ? this.#backup : undefined);
    const { revision } = this.#controlPlane.saved.history;
    this.#emit(
      "control plane",
      fromBackup ? `is back from an old backup, at revision ${revision}` : `is back at revision ${revision}`,
      "good",
    );
  }

  #connect(router: SimRouter): void {
    if (!this.#isUp) {
      router.failures += 1;
      return this.#retryLater(router, "reaches nobody");
    }
    const link: SimLink = {
      isOpen: true,
      left: new Set(),
      arrivesAtMs: { down: 0, up: 0 },
      fleetLink: this.#controlPlane.fleet.connect({
        say: (text) => this.#toRouter(router, link, new TextEncoder().encode(text)),
        send: (frame, done) => {
          this.#toRouter(router, link, this.#maybeDamage(router, frame));
          done();
        },
        close: (_, reason) =>
          this.#emit("control plane", `closes the link of ${router.id}: ${reason}`, "bad"),
      }),
    };
    router.link = link;
    const have =
      router.held === undefined ? "nothing yet" : `${router.held.epoch} revision ${router.held.revision}`;
    this.#emit(router.id, `connects and says what it has: ${have}`, "info");
    this.#toControlPlane(link, bytesOf(router.hello()));
  }

  #onMessage(router: SimRouter, link: SimLink, bytes: Uint8Array): void {
    const { reply, words, outcome } = router.receive(bytes, link);
    router.failures = 0;
    this.#emit(router.id, words, outcome === "applied" ? "good" : outcome === "refused" ? "bad" : "info");
    this.#toControlPlane(link, bytesOf(reply));
  }

  /** The first snapshot after the fault for the last router says one thing and carries another. */
  #maybeDamage(router: SimRouter, bytes: Uint8Array): Uint8Array {
    if (!this.#damageNext || router !== this.#routers.at(-1)) return bytes;
    this.#damageNext = false;
    const { history } = this.#controlPlane.saved;
    return encodeSnapshot(
      { ...history, checksum: checksumOf(documentOf(99)) },
      JSON.stringify(documentOf(4)),
    );
  }

  #toRouter(router: SimRouter, link: SimLink, bytes: Uint8Array): void {
    this.#deliver(link, "down", () => this.#onMessage(router, link, bytes));
  }

  #toControlPlane(link: SimLink, bytes: Uint8Array): void {
    const { fleet } = this.#controlPlane;
    this.#deliver(link, "up", () => fleet.receive(link.fleetLink, bytes, this.#queue.nowMs));
  }

  /** One message over one link. A link keeps the order of what it carries, as TCP does. */
  #deliver(link: SimLink, direction: "down" | "up", arrive: () => void): void {
    const takesMs = between(this.#random, 1, numberOf(this.#values, "latency"));
    const atMs = Math.max(this.#queue.nowMs + takesMs, link.arrivesAtMs[direction]);
    link.arrivesAtMs[direction] = atMs;
    this.#queue.at(atMs, () => {
      if (link.isOpen) arrive();
    });
  }

  #cut(router: SimRouter, words: string): void {
    const { link } = router;
    if (link === undefined) return;
    link.isOpen = false;
    router.link = undefined;
    this.#controlPlane.fleet.disconnect(link.fleetLink, this.#queue.nowMs);
    this.#retryLater(router, words);
  }

  #retryLater(router: SimRouter, words: string): void {
    const delayMs = Math.round(nextDelayMs(Math.max(0, router.failures - 1), this.#random, backoff));
    this.#emit(router.id, `${words}; comes back in ${(delayMs / 1000).toFixed(1)} s`, "warn");
    this.#queue.after(delayMs, () => this.#connect(router));
  }

  /** Requests arrive whatever the control plane does. Only a router that never had a table fails them. */
  #serve(router: SimRouter): void {
    this.#queue.after(requestEveryMs, () => {
      const counts = this.#counts.get(router.id);
      if (counts !== undefined) counts[router.held === undefined ? "failed" : "served"] += 1;
      this.#serve(router);
    });
  }

  #emit(actor: string, what: string, tone: Tone): void {
    const { epoch, revision } = this.#controlPlane.saved.history;
    const routers = this.#routers.map(({ id, link, held }) => ({
      id,
      isLinked: link !== undefined,
      epoch: held?.epoch,
      revision: held?.revision,
      served: this.#counts.get(id)?.served ?? 0,
      failed: this.#counts.get(id)?.failed ?? 0,
    }));
    const state: FleetState = { controlPlane: { isUp: this.#isUp, epoch, revision }, routers };
    this.#events.push({ atMs: this.#queue.nowMs, actor, what, tone, state });
  }
}
