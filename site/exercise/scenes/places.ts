// m4/06: a cell behind a limit of four. It refuses connections for a while, or it is slow and clients leave. Does each request
// give its permit back, once, and not before the cell has stopped?

import { EventEmitter } from "node:events";
import { ConcurrencyLimit } from "../../../exercises/m4/06-concurrency-limit/starter/concurrency-limit.ts";
import { limited } from "../../../exercises/m4/06-concurrency-limit/starter/limited.ts";
import { EventQueue } from "../../simulations/event-queue.ts";
import { between, pick, seededRandom } from "../../simulations/random.ts";
import {
  numberOf,
  type Recording,
  type SimEvent,
  type Tone,
  textOf,
  type Values,
} from "../../simulations/simulation.ts";
import { type Traveller, Trips } from "../../simulations/trips.ts";
import { bears, type PlacesState, places, placesFrame, placesTenants } from "./places-frame.ts";

const hopMs = 150;
/** The trouble, and how long the cell takes for a request before and during it. */
const trouble = { fromMs: 4_000, untilMs: 9_000 };
const takesMs = { usual: 250, slow: 1_500 };
/** How long the cell goes on with a request that was aborted. */
const stopsMs = 700;
const downMs = 1_500;
/** A client's connection is kept alive for a while after its response. */
const keptAliveMs = 1_000;

export const placesScene = { run: (values: Values) => new PlacesRun(values).run() };

class PlacesRun {
  readonly #queue = new EventQueue();
  readonly #trips = new Trips();
  readonly #events: SimEvent<PlacesState>[] = [];
  readonly #limit = new ConcurrencyLimit(places);
  readonly #random: () => number;
  readonly #isRefusing: boolean;
  /** What the cell works on: how to break each of them. */
  readonly #atCell = new Set<() => void>();
  /** Requests that hold a permit: from the router's yes to the end of `serve`. */
  #served = 0;
  #upAgainMs = 0;
  #state = placesFrame.before({});

  constructor(values: Values) {
    this.#random = seededRandom(numberOf(values, "seed"));
    this.#isRefusing = textOf(values, "trouble") === "refuse";
  }

  async run(): Promise<Recording<PlacesState>> {
    const words = this.#isRefusing ? "refuses connections" : "is slow, and clients press reload";
    this.#queue.at(trouble.fromMs, () => this.#emit("tier1", words, "bad"));
    this.#queue.at(trouble.untilMs, () => this.#emit("tier1", "is well again", "good"));
    this.#arrive();
    await this.#queue.runUntilSettled(placesFrame.durationMs);
    const trips = this.#trips.finish(placesFrame.durationMs);
    return { events: this.#events, trips, bands: [], culprits: new Set() };
  }

  #isInTrouble(): boolean {
    return this.#queue.nowMs >= trouble.fromMs && this.#queue.nowMs < trouble.untilMs;
  }

  #isDown(): boolean {
    return this.#queue.nowMs < this.#upAgainMs || (this.#isRefusing && this.#isInTrouble());
  }

  #arrive(): void {
    this.#queue.after(between(this.#random, 60, 200), () => {
      const key = pick(this.#random, placesTenants);
      const patienceMs = between(this.#random, 300, 900);
      const traveller = this.#trips.begin(key, `tenant-${key}`, this.#queue.nowMs);
      traveller.move("router", this.#queue.nowMs, hopMs);
      this.#queue.after(hopMs, () => void this.#serve(key, patienceMs, traveller));
      this.#arrive();
    });
  }

  async #serve(key: string, patienceMs: number, traveller: Traveller): Promise<void> {
    const client = new EventEmitter();
    let hasLeft = false;
    if (!this.#isRefusing && this.#isInTrouble())
      this.#queue.after(patienceMs, () => {
        hasLeft = true;
        client.emit("close");
      });
    let isBegun = false;
    const serve = (signal: AbortSignal) => {
      isBegun = true;
      this.#served += 1;
      traveller.move("cell-tier1", this.#queue.nowMs, hopMs);
      return this.#exchange(signal).finally(() => {
        this.#served -= 1;
      });
    };
    const result = await limited(this.#limit, client, serve).catch(() => "failed" as const);
    // Where permits are lost for good, the connections stay open; elsewhere they close some time after the response.
    if (isBegun && !hasLeft && !this.#isRefusing)
      this.#queue.after(keptAliveMs, () => void client.emit("close"));
    this.#end(key, traveller, hasLeft ? "client-left" : result);
  }

  /** One exchange with the cell. Ends when the cell has stopped, also after an abort. */
  #exchange(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (code: string) => reject(Object.assign(new Error(code), { code }));
      this.#queue.after(hopMs, () => {
        if (this.#isDown()) return fail("ECONNREFUSED");
        const atCell = () => {
          this.#atCell.delete(atCell);
          fail("ECONNRESET");
        };
        this.#atCell.add(atCell);
        if (this.#atCell.size > bears) return this.#fall();
        const stop = (end: () => void) => {
          if (this.#atCell.delete(atCell)) end();
        };
        const isSlow = !this.#isRefusing && this.#isInTrouble();
        this.#queue.after(isSlow ? takesMs.slow : takesMs.usual, () => stop(resolve));
        const onAbort = () => this.#queue.after(stopsMs, () => stop(() => fail("ABORT_ERR")));
        if (signal.aborted) onAbort();
        else signal.addEventListener("abort", onAbort);
      });
    });
  }

  #fall(): void {
    const count = this.#atCell.size;
    this.#upAgainMs = this.#queue.nowMs + downMs;
    this.#state = { ...this.#state, falls: this.#state.falls + 1 };
    this.#emit("tier1", `falls over: ${count} at once, behind a limit of ${places}`, "bad");
    for (const breakIt of [...this.#atCell]) breakIt();
    this.#queue.after(downMs, () => this.#emit("tier1", "is back", "good"));
  }

  #end(key: string, traveller: Traveller, result: string): void {
    const { nowMs } = this.#queue;
    const count = { good: 0, failed: 0, refused: 0 };
    if (result === "ended") {
      count.good = 1;
      traveller.move("router", nowMs, hopMs);
      this.#queue.after(hopMs, () => {
        traveller.move(`tenant-${key}`, this.#queue.nowMs, hopMs);
        this.#queue.after(hopMs, () => traveller.end("good", this.#queue.nowMs));
      });
    } else if (result === "overloaded") {
      count.refused = 1;
      traveller.end("refused", nowMs);
    } else if (result === "failed") {
      count.failed = 1;
      traveller.end("failed", nowMs);
    }
    // Its client has left: it was neither served nor did it fail.
    else traveller.end("under way", nowMs);
    const tenants = this.#state.tenants.map((tenant) =>
      tenant.key === key
        ? {
            key,
            good: tenant.good + count.good,
            failed: tenant.failed + count.failed,
            refused: tenant.refused + count.refused,
          }
        : tenant,
    );
    this.#state = { ...this.#state, tenants };
    const tone: Tone = result === "ended" ? "good" : result === "failed" ? "bad" : "info";
    this.#emit("router", `${key}: ${result}`, tone);
  }

  #emit(actor: string, what: string, tone: Tone): void {
    const { inFlight } = this.#limit;
    const lost = inFlight - this.#served;
    this.#state = {
      ...this.#state,
      guard: {
        words: `${inFlight} of ${places} permits taken${lost > 0 ? `, ${lost} by nobody` : ""}`,
        kind: inFlight >= places ? "open" : "closed",
      },
      cell: { condition: this.#isDown() ? "down" : "warm", inFlight: this.#atCell.size, most: bears },
      lost,
    };
    this.#events.push({ atMs: this.#queue.nowMs, actor, what, tone, state: this.#state });
  }
}
