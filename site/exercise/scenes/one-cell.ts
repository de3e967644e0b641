// The world of the exercises' own scenes: tenants, a router with one guard, and one cell that falls over when it gets more at
// once than it can bear. The guard is the exercise's module; times are stretched, so that one sees them.

import { EventQueue } from "../../simulations/event-queue.ts";
import type { Band, Recording, SimEvent, Tone } from "../../simulations/simulation.ts";
import { type Traveller, Trips } from "../../simulations/trips.ts";

export interface TenantCount {
  readonly key: string;
  readonly good: number;
  readonly failed: number;
  readonly refused: number;
}

export interface OneCellState {
  readonly guard: { readonly words: string; readonly kind: "closed" | "open" | "half-open" };
  readonly cell: {
    readonly condition: "warm" | "cold" | "down";
    readonly inFlight: number;
    /** It falls over when it gets more at once. */
    readonly most: number;
  };
  readonly tenants: readonly TenantCount[];
  readonly falls: number;
  /** Requests that reached the cell while it was down. */
  readonly inVain: number;
}

/** What the guard says to one request. */
export type Admission =
  | { readonly ok: false }
  | {
      readonly ok: true;
      readonly end: (outcome: "success" | "failure" | "abandoned", nowMs: number) => void;
    };

/** How one request differs from the others. */
export interface Special {
  /** How long its client waits for the cell before it leaves. */
  readonly patienceMs?: number;
  /** A long piece of work, which outlives the cell's falls. */
  readonly report?: { readonly takesMs: number; readonly ends: "good" | "failed" };
}

export interface Guard {
  readonly ask: (key: string, nowMs: number) => Admission;
  readonly state: (nowMs: number) => OneCellState["guard"];
}

export interface CellSettings {
  /** Requests at once that it bears when warm, and when it has just come back. */
  readonly most: { readonly warm: number; readonly cold: number };
  readonly takesMs: { readonly warm: number; readonly cold: number };
  /** Responses after which a cold cell is warm. */
  readonly warmsAfter: number;
  /** How long it is down when it has fallen over. */
  readonly downMs: number;
}

const hopMs = 150;

export class OneCellRun {
  readonly queue = new EventQueue();
  guard: Guard | undefined;
  readonly #trips = new Trips();
  readonly #events: SimEvent<OneCellState>[] = [];
  readonly #bands: { label: string; kind: Band["kind"]; fromMs: number; untilMs?: number }[] = [];
  readonly #counts: Map<string, { good: number; failed: number; refused: number }>;
  readonly #cell: CellSettings;
  #condition: OneCellState["cell"]["condition"] = "warm";
  #inFlight = new Set<{ isOver: boolean; readonly fail: () => void }>();
  #responses = 0;
  #falls = 0;
  #inVain = 0;

  constructor(cell: CellSettings, tenants: readonly string[]) {
    this.#cell = cell;
    this.#counts = new Map(tenants.map((key) => [key, { good: 0, failed: 0, refused: 0 }]));
  }

  finish(durationMs: number, culprits: readonly string[]): Recording<OneCellState> {
    this.queue.runUntil(durationMs);
    return {
      events: this.#events,
      trips: this.#trips.finish(durationMs),
      bands: this.#bands.map((band) => ({ ...band, untilMs: band.untilMs ?? durationMs })),
      culprits: new Set(culprits),
    };
  }

  state(): OneCellState {
    const { nowMs } = this.queue;
    return {
      guard: this.guard?.state(nowMs) ?? { words: "", kind: "closed" },
      cell: {
        condition: this.#condition,
        inFlight: this.#inFlight.size,
        most: this.#condition === "cold" ? this.#cell.most.cold : this.#cell.most.warm,
      },
      tenants: [...this.#counts].map(([key, counts]) => ({ key, ...counts })),
      falls: this.#falls,
      inVain: this.#inVain,
    };
  }

  emit(actor: string, what: string, tone: Tone): void {
    this.#events.push({ atMs: this.queue.nowMs, actor, what, tone, state: this.state() });
  }

  /** A mark under the scene, until the next one of the same label. */
  band(label: string, kind: Band["kind"] | undefined): void {
    const { nowMs } = this.queue;
    for (const band of this.#bands) if (band.label === label) band.untilMs ??= nowMs;
    if (kind !== undefined) this.#bands.push({ label, kind, fromMs: nowMs });
  }

  crash(what: string): void {
    this.#condition = "down";
    this.emit("tier1", what, "bad");
    for (const attempt of [...this.#inFlight]) attempt.fail();
  }

  comeBack(): void {
    this.#condition = "cold";
    this.#responses = 0;
    this.emit("tier1", "is back, its caches cold", "warn");
  }

  send(key: string, special: Special = {}): void {
    const traveller = this.#trips.begin(key, `tenant-${key}`, this.queue.nowMs);
    traveller.move("router", this.queue.nowMs, hopMs);
    this.queue.after(hopMs, () => {
      const admission = this.guard?.ask(key, this.queue.nowMs);
      if (admission === undefined || !admission.ok) return this.#end(key, traveller, "refused");
      traveller.move("cell-tier1", this.queue.nowMs, hopMs);
      this.queue.after(hopMs, () => this.#attempt(key, traveller, admission, special));
    });
  }

  #attempt(
    key: string,
    traveller: Traveller,
    admission: Admission & { ok: true },
    { patienceMs, report }: Special,
  ): void {
    if (report !== undefined) {
      return this.queue.after(report.takesMs, () => {
        admission.end(report.ends === "good" ? "success" : "failure", this.queue.nowMs);
        this.#end(key, traveller, report.ends);
      });
    }
    const attempt = {
      isOver: false,
      fail: () => {
        attempt.isOver = true;
        this.#inFlight.delete(attempt);
        admission.end("failure", this.queue.nowMs);
        this.#end(key, traveller, "failed");
      },
    };
    if (this.#condition === "down") {
      this.#inVain += 1;
      return attempt.fail();
    }
    this.#inFlight.add(attempt);
    const isCold = this.#condition === "cold";
    if (this.#inFlight.size > (isCold ? this.#cell.most.cold : this.#cell.most.warm)) return this.#fall();
    const leave = () => {
      if (attempt.isOver) return;
      attempt.isOver = true;
      this.#inFlight.delete(attempt);
      admission.end("abandoned", this.queue.nowMs);
      // Its client has left: it was neither served nor did it fail.
      traveller.end("under way", this.queue.nowMs);
      this.emit("router", `${key}: its client has left`, "info");
    };
    if (patienceMs !== undefined) this.queue.after(patienceMs, leave);
    this.queue.after(isCold ? this.#cell.takesMs.cold : this.#cell.takesMs.warm, () => {
      if (attempt.isOver) return;
      this.#inFlight.delete(attempt);
      admission.end("success", this.queue.nowMs);
      this.#warm();
      this.#end(key, traveller, "good");
    });
  }

  #fall(): void {
    this.#falls += 1;
    this.crash(
      `falls over: ${this.#inFlight.size} at once${this.#condition === "cold" ? ", while cold" : ""}`,
    );
    this.queue.after(this.#cell.downMs, () => this.comeBack());
  }

  #warm(): void {
    this.#responses += 1;
    if (this.#condition !== "cold" || this.#responses < this.#cell.warmsAfter) return;
    this.#condition = "warm";
    this.emit("tier1", "is warm again", "good");
  }

  #end(key: string, traveller: Traveller, result: "good" | "failed" | "refused"): void {
    const counts = this.#counts.get(key);
    if (counts !== undefined) counts[result] += 1;
    if (result !== "good") {
      traveller.end(result, this.queue.nowMs);
      const what = result === "failed" ? `${key}: 502, tier1 did not respond` : `${key}: turned away at once`;
      return this.emit("router", what, result === "failed" ? "bad" : "info");
    }
    this.emit("router", `${key} → tier1: 200`, "good");
    traveller.move("router", this.queue.nowMs, hopMs);
    this.queue.after(hopMs, () => {
      traveller.move(`tenant-${key}`, this.queue.nowMs, hopMs);
      this.queue.after(hopMs, () => traveller.end("good", this.queue.nowMs));
    });
  }
}
