// The way of each request through a scene: from place to place, with the times at which it leaves and arrives. A dot that
// is drawn follows these times; it has none of its own.

/** From one place to another, or a wait at a place (`from` and `to` are the same). */
export interface Leg {
  readonly from: string;
  readonly to: string;
  readonly fromMs: number;
  untilMs: number;
  /** Its position among those that wait at `from` and at `to`: 0 is the first. */
  readonly fromSlot: number;
  readonly toSlot: number;
}

/**
 * `failed`: the client got an error or nothing. `refused`: a limit said no at once. `note` and `lost` are messages, not
 * requests: one that arrived, and one that nobody took.
 */
export type TripResult = "under way" | "good" | "failed" | "refused" | "note" | "lost";

export interface Trip {
  /** Whose it is: decides its colour. */
  readonly owner: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly result: TripResult;
  readonly legs: readonly Leg[];
}

export function isMessage({ result }: Pick<Trip, "result">): boolean {
  return result === "note" || result === "lost";
}

/** How long a failed request is seen to fall, in milliseconds. */
export const fallMs = 700;

export class Traveller {
  readonly owner: string;
  readonly startMs: number;
  readonly legs: Leg[] = [];
  endMs = Number.POSITIVE_INFINITY;
  result: TripResult = "under way";
  readonly #slots: Slots;
  #place: string;
  #slot: number;

  constructor(owner: string, place: string, nowMs: number, slots: Slots) {
    this.owner = owner;
    this.startMs = nowMs;
    this.#slots = slots;
    this.#place = place;
    this.#slot = 0;
  }

  /** Sets out for `to`. It waits there until it is told to move on. */
  move(to: string, nowMs: number, takesMs: number): void {
    this.#endWait(nowMs);
    const slot = this.#slots.take(to);
    const [from, fromSlot] = [this.#place, this.#slot];
    this.#slots.free(from, fromSlot);
    const arrivesMs = nowMs + takesMs;
    this.legs.push({ from, to, fromMs: nowMs, untilMs: arrivesMs, fromSlot, toSlot: slot });
    this.legs.push({
      from: to,
      to,
      fromMs: arrivesMs,
      untilMs: Number.POSITIVE_INFINITY,
      fromSlot: slot,
      toSlot: slot,
    });
    [this.#place, this.#slot] = [to, slot];
  }

  end(result: TripResult, nowMs: number): void {
    this.#endWait(nowMs);
    this.#slots.free(this.#place, this.#slot);
    this.endMs = nowMs;
    this.result = result;
  }

  #endWait(nowMs: number): void {
    const last = this.legs.at(-1);
    if (last !== undefined) last.untilMs = nowMs;
  }
}

/** Which positions are taken at each place. The lowest free one is given out, so that a queue stays dense. */
class Slots {
  readonly #taken = new Map<string, Set<number>>();

  take(place: string): number {
    const taken = this.#taken.get(place) ?? new Set<number>();
    this.#taken.set(place, taken);
    let slot = 0;
    while (taken.has(slot)) slot += 1;
    taken.add(slot);
    return slot;
  }

  free(place: string, slot: number): void {
    this.#taken.get(place)?.delete(slot);
  }
}

export class Trips {
  readonly #travellers: Traveller[] = [];
  readonly #slots = new Slots();

  begin(owner: string, place: string, nowMs: number): Traveller {
    const traveller = new Traveller(owner, place, nowMs, this.#slots);
    this.#travellers.push(traveller);
    return traveller;
  }

  /** Every trip in the order of its start; what is still under way ends with the recording. */
  finish(durationMs: number): readonly Trip[] {
    return this.#travellers
      .map(({ owner, startMs, endMs, result, legs }) => ({
        owner,
        startMs,
        endMs: Math.min(endMs, durationMs),
        result,
        legs,
      }))
      .sort((a, b) => a.startMs - b.startMs);
  }
}

const bucketMs = 500;

/** Which trips are seen at a moment, without looking at all of them in every frame. */
export class TripIndex {
  readonly #buckets: Trip[][] = [];

  constructor(trips: readonly Trip[]) {
    for (const trip of trips) {
      const last = Math.floor((trip.endMs + fallMs) / bucketMs);
      for (let bucket = Math.floor(trip.startMs / bucketMs); bucket <= last; bucket++) {
        this.#buckets[bucket] ??= [];
        this.#buckets[bucket]?.push(trip);
      }
    }
  }

  /** A few more than are seen: those of the same half second. */
  near(atMs: number): readonly Trip[] {
    return this.#buckets[Math.floor(atMs / bucketMs)] ?? [];
  }
}
