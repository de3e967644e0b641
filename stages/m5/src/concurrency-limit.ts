// How many requests may be in flight at one moment for one placement (a bulkhead): a slow cell fills its own
// limit and not the whole router. There is no queue: a request that waits holds memory and still comes too late.

/** The right to be in flight. Whoever holds it must release it on every way out, an abort included. */
export interface Permit {
  /** Gives the permit back. Further calls do nothing, so every way out may call it without asking. */
  release(): void;
}

// #region concurrency-limit
export class ConcurrencyLimit {
  #limit: number;
  #inFlight = 0;

  /**
   * @param limit Most permits out at one moment; undefined for no limit, which still counts.
   * @throws RangeError when `limit` is below 1 or not a number.
   */
  constructor(limit: number | undefined) {
    this.#limit = checked(limit);
  }

  get limit(): number {
    return this.#limit;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** A permit, or undefined when as many as `limit` are out. */
  tryAcquire(): Permit | undefined {
    if (this.#inFlight >= this.#limit) return undefined;
    this.#inFlight += 1;
    return new CountedPermit(this.#giveBack);
  }

  /** Changes the limit. Permits that are out stay valid: below them, nothing is granted until enough came back. */
  reconfigure(limit: number | undefined): void {
    this.#limit = checked(limit);
  }

  // One closure per limit, not one per request.
  readonly #giveBack = (): void => {
    this.#inFlight -= 1;
  };
}

class CountedPermit implements Permit {
  #giveBack: (() => void) | undefined;

  constructor(giveBack: () => void) {
    this.#giveBack = giveBack;
  }

  release(): void {
    // Taken before it is called: a second release must not give back somebody else's permit.
    const giveBack = this.#giveBack;
    this.#giveBack = undefined;
    giveBack?.();
  }
}
// #endregion concurrency-limit

function checked(limit: number | undefined): number {
  if (limit === undefined) return Number.POSITIVE_INFINITY;
  if (!(limit >= 1)) throw new RangeError(`concurrencyLimit must be at least 1, got ${limit}`);
  return limit;
}
