// Chance that can be repeated: each case has a number, and its number and the seed decide everything about it, so a
// run can be stopped, resumed, split, and any one of its cases made again.

export class Random {
  #state: number;
  /** How often `odd` says yes, against the percentage asked for. A stream of nothing but oddities ends at the first. */
  oddness = 1;

  constructor(seed: number, sequence: number) {
    // Two rounds of mixing, or neighbouring cases would begin alike.
    this.#state = mixed(mixed(seed >>> 0) ^ (sequence >>> 0)) ^ Math.floor(sequence / 2 ** 32);
  }

  /** A whole number from 0 to `bound - 1`. */
  below(bound: number): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    return mixed(this.#state) % bound;
  }

  /** True in `percent` of a hundred cases. */
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  /** Like `chance`, for what should not be in a message; as often as `oddness` says. */
  odd(percent: number): boolean {
    return this.below(1000) < percent * 10 * this.oddness;
  }

  pick<T>(list: readonly T[]): T {
    const picked = list[this.below(list.length)];
    if (picked === undefined) throw new RangeError("Cannot pick from an empty list");
    return picked;
  }
}

/** Spreads a 32-bit number over all its bits (the finaliser of MurmurHash3). */
function mixed(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
