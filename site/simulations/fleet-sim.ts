// m3: a control plane pushes revisions to a fleet, and it dies. Every router keeps serving from memory; what it holds is
// decided by the stage's own rules, and when it comes back by the stage's own backoff. Beside it, routers that wait a
// fixed time and so all come back at once, or routers that ask for every request.

import { nextDelayMs } from "../../stages/m3/src/backoff.ts";
import { encodeSnapshot } from "../../stages/m3/src/protocol.ts";
import { EventQueue } from "./event-queue.ts";
import { type Fault, isBroken, readFaults } from "./faults.ts";
import {
  bytesOf,
  checksumOf,
  documentOf,
  type Saved,
  SimControlPlane,
  type SimLink,
  SimRouter,
} from "./fleet-network.ts";
import {
  type FleetState,
  type Kind,
  kindOf,
  namesOf,
  parameters,
  share,
  targets,
  worlds,
} from "./fleet-scenario.ts";
import { between, seededRandom } from "./random.ts";
import {
  isOn,
  numberOf,
  type Recording,
  type SimEvent,
  type Simulation,
  type Tone,
  textOf,
  type Values,
} from "./simulation.ts";
import { Trips } from "./trips.ts";

const durationMs = 24_000;
/** Settings of `control-plane-client.ts`. */
const backoff = { baseMs: 1_000, capMs: 60_000 };
/** What a router without jitter waits. */
const fixedWaitMs = 1_000;
const requestEveryMs = 400;
const hopMs = 180;
/** More handshakes than this within the time knock the control plane over: it has just started, and caches are cold. */
const handshakes = { most: 6, withinMs: 300, recoveryMs: 2_500 };

export const fleetSim: Simulation<FleetState> = {
  name: "fleet",
  durationMs,
  worlds,
  rows: ["success", "share"],
  share,
  parameters,
  before: (values) => new FleetRun(values).state(),
  run: (values) => new FleetRun(values).run(),
};

class FleetRun {
  readonly #values: Values;
  readonly #kind: Kind;
  readonly #faults: readonly Fault[];
  readonly #random: () => number;
  readonly #queue = new EventQueue();
  readonly #trips = new Trips();
  readonly #events: SimEvent<FleetState>[] = [];
  readonly #controlPlane: SimControlPlane;
  readonly #routers: readonly SimRouter[];
  #isUp = true;
  #backup: Saved | undefined;
  #damageNext = false;
  #falls = 0;
  #handshakesAtMs: number[] = [];

  constructor(values: Values) {
    this.#values = values;
    this.#kind = kindOf(values);
    this.#faults = readFaults(textOf(values, "faults"), targets);
    this.#random = seededRandom(numberOf(values, "seed"));
    this.#controlPlane = new SimControlPlane(
      () => this.#queue.nowMs,
      (epoch) =>
        this.#emit("control plane", `a router has what this store never gave out: ${epoch} begins`, "warn"),
    );
    this.#routers = namesOf(values).map((id) => new SimRouter(id));
  }

  run(): Recording<FleetState> {
    const queue = this.#queue;
    for (const [index, router] of this.#routers.entries()) {
      // One after the other, as a deployment starts them.
      const beginsAtMs = Math.round(((index + this.#random()) * 2_000) / this.#routers.length);
      if (this.#kind !== "asks") queue.at(beginsAtMs, () => this.#connect(router));
      queue.at(beginsAtMs % requestEveryMs, () => this.#serve(router));
    }
    queue.at(1_000, () => {
      this.#backup = this.#controlPlane.saved;
    });
    queue.at(3_000, () => {
      this.#damageNext = isOn(this.#values, "damage");
      this.#publish(2);
    });
    for (const { target, fromMs, untilMs } of this.#faults) {
      if (target === "control-plane") {
        queue.at(fromMs, () => this.#kill("is killed"));
        queue.at(untilMs, () => this.#restart(textOf(this.#values, "store") === "backup"));
      } else queue.at(fromMs, () => this.#cut(target));
    }
    queue.at(18_000, () => this.#publish(3));
    queue.runUntil(durationMs);
    return {
      events: this.#events,
      trips: this.#trips.finish(durationMs),
      bands: [],
      culprits: new Set(),
    };
  }

  state(): FleetState {
    const { epoch, revision } = this.#controlPlane.saved.history;
    const routers = this.#routers.map(({ id, link, held }) => ({
      id,
      isLinked: link !== undefined,
      epoch: held?.epoch,
      revision: held?.revision,
    }));
    return {
      kind: this.#kind,
      controlPlane: { isUp: this.#isUp, epoch, revision },
      routers,
      falls: this.#falls,
    };
  }

  #publish(content: number): void {
    if (!this.#isUp) return this.#emit("operator", "cannot put a new table: nobody answers", "warn");
    const { revision } = this.#controlPlane.saved.history;
    this.#emit("operator", `puts a new table; it becomes revision ${revision + 1}`, "info");
    this.#controlPlane.publish(content);
  }

  #kill(words: string): void {
    if (!this.#isUp) return;
    this.#isUp = false;
    this.#emit("control plane", words, "bad");
    for (const router of this.#routers)
      if (router.link !== undefined) this.#lose(router, "has lost the control plane, and serves on");
  }

  #restart(fromBackup: boolean): void {
    if (this.#isUp || isBroken(this.#faults, "control-plane", this.#queue.nowMs)) return;
    this.#isUp = true;
    this.#handshakesAtMs = [];
    this.#controlPlane.restart(fromBackup ? this.#backup : undefined);
    const { revision } = this.#controlPlane.saved.history;
    const words = fromBackup ? "is back from an old backup, at revision" : "is back at revision";
    this.#emit("control plane", `${words} ${revision}`, "good");
  }

  #connect(router: SimRouter): void {
    const isCut = isBroken(this.#faults, `link-${router.id}`, this.#queue.nowMs);
    if (!this.#isUp || isCut) {
      router.failures += 1;
      this.#attemptInVain(router);
      return this.#retryLater(router, "reaches nobody");
    }
    if (this.#isKnockedOver(router)) return;
    const link: SimLink = {
      isOpen: true,
      superseded: new Set(),
      arrivesAtMs: { down: 0, up: 0 },
      fleetLink: this.#controlPlane.fleet.connect({
        say: (text) => this.#toRouter(router, link, new TextEncoder().encode(text), "note"),
        send: (frame, done) => {
          this.#toRouter(router, link, this.#maybeDamage(router, frame), "snapshot");
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
    this.#toControlPlane(router, link, bytesOf(router.hello()), "note");
  }

  /** A handshake that nobody takes, as it is seen. */
  #attemptInVain({ id }: SimRouter): void {
    const attempt = this.#trips.begin("note", `link-${id}`, this.#queue.nowMs);
    attempt.move("control-plane", this.#queue.nowMs, hopMs);
    this.#queue.after(hopMs, () => attempt.end("lost", this.#queue.nowMs));
  }

  /** One more router asks to be let in. True when that was the one too many. */
  #isKnockedOver(router: SimRouter): boolean {
    const { nowMs } = this.#queue;
    this.#handshakesAtMs = this.#handshakesAtMs.filter((atMs) => atMs > nowMs - handshakes.withinMs);
    this.#handshakesAtMs.push(nowMs);
    if (this.#handshakesAtMs.length <= handshakes.most) return false;
    for (const each of this.#routers) each.failures = Math.max(1, each.failures);
    this.#falls += 1;
    this.#attemptInVain(router);
    this.#kill(`is knocked over: more than ${handshakes.most} handshakes at once`);
    for (const each of this.#routers)
      if (each.link === undefined && !each.isWaiting) this.#retryLater(each, "is turned away");
    this.#queue.after(handshakes.recoveryMs, () => this.#restart(false));
    return true;
  }

  #onMessage(router: SimRouter, link: SimLink, bytes: Uint8Array): void {
    const { reply, words, outcome } = router.receive(bytes, link);
    router.failures = 0;
    this.#emit(router.id, words, outcome === "applied" ? "good" : outcome === "refused" ? "bad" : "info");
    this.#toControlPlane(router, link, bytesOf(reply), outcome === "refused" ? "nack" : "ack");
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

  #toRouter(router: SimRouter, link: SimLink, bytes: Uint8Array, owner: string): void {
    this.#deliver(router, link, "down", owner, () => this.#onMessage(router, link, bytes));
  }

  #toControlPlane(router: SimRouter, link: SimLink, bytes: Uint8Array, owner: string): void {
    const { fleet } = this.#controlPlane;
    this.#deliver(router, link, "up", owner, () => fleet.receive(link.fleetLink, bytes, this.#queue.nowMs));
  }

  /** One message over one link. A link keeps the order of what it carries, as TCP does. */
  #deliver(
    router: SimRouter,
    link: SimLink,
    direction: "down" | "up",
    owner: string,
    arrive: () => void,
  ): void {
    const { nowMs } = this.#queue;
    const takesMs = between(this.#random, 60, numberOf(this.#values, "latency"));
    const atMs = Math.max(nowMs + takesMs, link.arrivesAtMs[direction]);
    link.arrivesAtMs[direction] = atMs;
    const ends = ["control-plane", `link-${router.id}`];
    const [from = "", to = ""] = direction === "down" ? ends : ends.reverse();
    const message = this.#trips.begin(owner, from, nowMs);
    message.move(to, nowMs, atMs - nowMs);
    this.#queue.at(atMs, () => {
      message.end("note", atMs);
      if (link.isOpen) arrive();
    });
  }

  #cut(target: string): void {
    const router = this.#routers.find(({ id }) => `link-${id}` === target);
    if (router?.link !== undefined) this.#lose(router, "loses its link");
  }

  #lose(router: SimRouter, words: string): void {
    const { link } = router;
    if (link === undefined) return;
    link.isOpen = false;
    router.link = undefined;
    this.#controlPlane.fleet.disconnect(link.fleetLink, this.#queue.nowMs);
    this.#retryLater(router, words);
  }

  #retryLater(router: SimRouter, words: string): void {
    const jittered = nextDelayMs(Math.max(0, router.failures - 1), this.#random, backoff);
    const delayMs = Math.round(this.#kind === "stampede" ? fixedWaitMs : jittered);
    router.isWaiting = true;
    this.#emit(router.id, `${words}; comes back in ${(delayMs / 1000).toFixed(1)} s`, "warn");
    this.#queue.after(delayMs, () => {
      router.isWaiting = false;
      this.#connect(router);
    });
  }

  /** Requests arrive whatever the control plane does. A router starts with the file that it was shipped with. */
  #serve(router: SimRouter): void {
    this.#queue.after(requestEveryMs, () => this.#serve(router));
    const { nowMs } = this.#queue;
    const [client, gate] = [`client-${router.id}`, `router-${router.id}`];
    const request = this.#trips.begin(router.id, client, nowMs);
    request.move(gate, nowMs, hopMs);
    if (this.#kind === "asks") request.move("control-plane", nowMs + hopMs, hopMs);
    const decidedMs = nowMs + hopMs * (this.#kind === "asks" ? 2 : 1);
    this.#queue.at(decidedMs, () => {
      if (this.#kind === "asks" && !this.#isUp) {
        request.end("failed", decidedMs);
        return this.#emit(router.id, "503: nobody says where the request goes", "bad");
      }
      if (this.#kind === "asks") request.move(gate, decidedMs, hopMs);
      const backMs = decidedMs + (this.#kind === "asks" ? hopMs : 0);
      this.#queue.at(backMs, () => {
        request.move(client, backMs, hopMs);
        this.#queue.after(hopMs, () => request.end("good", this.#queue.nowMs));
      });
    });
  }

  #emit(actor: string, what: string, tone: Tone): void {
    this.#events.push({ atMs: this.#queue.nowMs, actor, what, tone, state: this.state() });
  }
}
