// The resilience state of one router: one guard per placement, and the buckets of routing keys. Follows each new table and
// says who may serve a request now. The rules are in the modules that it holds together; the order in `proxy.ts` and `attempts.ts`.

import { type AttemptOutcome, type BreakerState, CircuitBreaker } from "./circuit-breaker.ts";
import { ConcurrencyLimit, type Permit } from "./concurrency-limit.ts";
import { chooseTarget, type Refusal, type TargetChoice } from "./failover.ts";
import {
  DEFAULT_RETRY_BUDGET,
  type PlacementResilience,
  type RetryBudgetSettings,
} from "./resilience-settings.ts";
import { RetryBudget } from "./retry-budget.ts";
import type { Placement, RoutingTable } from "./routing-table.ts";
import { KeyedBuckets, type TakeResult, TokenBucket } from "./token-bucket.ts";

/** What one placement has at run time. A part that the table does not name is undefined and costs nothing. */
export interface Guard {
  readonly url: string;
  readonly limit: ConcurrencyLimit;
  readonly bucket: TokenBucket | undefined;
  readonly breaker: CircuitBreaker | undefined;
  readonly budget: RetryBudget;
}

/** The right to make one attempt at `target`. Whoever holds it must end it on every way out, an abort included. */
export interface Admission {
  /** Tells the breaker how the attempt went. Only the first call counts. */
  record(outcome: AttemptOutcome, nowMs: number): void;
  /** Gives back what was taken. An attempt without a recorded outcome counts as abandoned. */
  end(nowMs: number): void;
}

export type BreakerListener = (placement: string, to: BreakerState, from: BreakerState) => void;

export interface ResilienceOptions {
  /** The last result of the active health checks: a look-up in memory. */
  readonly isHealthy: (placement: string) => boolean;
  readonly onBreaker?: BreakerListener;
  /** Told what `onBreaker` threw: a request must not fail because of a listener. */
  readonly onFault?: (error: unknown) => void;
}

const allTaken: TakeResult = { ok: true };

// #region resilience
export class Resilience {
  readonly #options: ResilienceOptions;
  readonly #keys = new KeyedBuckets();
  #guards: ReadonlyMap<string, Guard> = new Map();

  constructor(options: ResilienceOptions) {
    this.#options = options;
  }

  /** Follows a new table. What a placement has counted so far stays, as long as it is the same cell. */
  update(table: RoutingTable, nowMs: number): void {
    this.#keys.update(table, nowMs);
    const next = new Map<string, Guard>();
    for (const placement of table.placements.values()) {
      next.set(placement.name, this.#guardFor(placement, this.#guards.get(placement.name), table, nowMs));
    }
    this.#guards = next;
  }

  /** The guard of a placement; for a cell that only the older table of a request under way names, an open one. */
  guard(placement: Placement): Guard {
    const guard = this.#guards.get(placement.name);
    return guard?.url === placement.url ? guard : unguarded(placement.url);
  }

  guards(): Iterable<[placement: string, guard: Guard]> {
    return this.#guards;
  }

  /** Takes one token of the routing key's bucket and one of the placement's, where there are any. */
  tryTake(routingKey: string, placement: Placement, nowMs: number): TakeResult {
    const byKey = this.#keys.tryTake(routingKey, nowMs);
    if (!byKey.ok) return byKey;
    return this.guard(placement).bucket?.tryTake(nowMs) ?? allTaken;
  }

  /**
   * Chooses who serves: the primary, or a placement of its chain. Each is asked for its health, then its breaker; a
   * fallback for its own concurrency limit too. The primary's place is taken once for the whole request, before this:
   * so what spills over to others is bounded by the limit of the one it spills from.
   *
   * @param avoid Placements that this request has already failed to reach.
   */
  admit(
    table: RoutingTable,
    primary: Placement,
    avoid: ReadonlyMap<string, Refusal>,
    nowMs: number,
  ): { readonly choice: TargetChoice<Placement>; readonly admission: Admission } {
    let admission: Admission = nothingTaken;
    const choice = chooseTarget(table, primary, (placement) => {
      const avoided = avoid.get(placement.name);
      if (avoided !== undefined) return avoided;
      const guard = this.guard(placement);
      // In another table the name stands for another cell, whose health says nothing about this one.
      const isChecked = this.#guards.get(placement.name) === guard;
      if (isChecked && !this.#options.isHealthy(placement.name)) {
        return { reason: "unhealthy", retryAfterMs: placement.health?.intervalMs };
      }
      const { limit, breaker } = guard;
      const permit = placement === primary ? undefined : limit.tryAcquire();
      if (placement !== primary && permit === undefined) return { reason: "overloaded" };
      const breakerPermit = allowedBy(breaker, nowMs, permit);
      if (breakerPermit?.allowed === false) {
        permit?.release();
        return { reason: "circuit-open", retryAfterMs: breakerPermit.retryAfterMs };
      }
      admission = {
        record: (outcome, atMs) => breakerPermit?.record(outcome, atMs),
        end: (atMs) => {
          permit?.release();
          breakerPermit?.record("abandoned", atMs);
        },
      };
      return undefined;
    });
    return { choice, admission };
  }

  #guardFor(placement: Placement, known: Guard | undefined, table: RoutingTable, nowMs: number): Guard {
    const { name, url, concurrencyLimit, rateLimit } = placement;
    // Another URL is another cell: the old one's record says nothing about it, and requests that hang there take no place here.
    const same = known?.url === url ? known : undefined;
    const budgetSettings = table.retryBudget ?? DEFAULT_RETRY_BUDGET;
    const limit = same?.limit ?? new ConcurrencyLimit(concurrencyLimit);
    limit.reconfigure(concurrencyLimit);
    const budget = same?.budget ?? new RetryBudget(budgetSettings);
    budget.reconfigure(budgetSettings);
    // The bucket limits the requests that lead here, whichever cell they reach.
    const bucket = rateLimit && (known?.bucket ?? new TokenBucket(rateLimit, nowMs));
    if (rateLimit) bucket?.reconfigure(rateLimit, nowMs);
    const breaker = this.#breakerFor(name, placement, same?.breaker, nowMs);
    return { url, limit, bucket, breaker, budget };
  }

  #breakerFor(
    name: string,
    { circuitBreaker }: PlacementResilience,
    known: CircuitBreaker | undefined,
    nowMs: number,
  ): CircuitBreaker | undefined {
    if (circuitBreaker === undefined) return undefined;
    known?.reconfigure(circuitBreaker, nowMs);
    if (known !== undefined) return known;
    const breaker = new CircuitBreaker(circuitBreaker, (to, from) => {
      // A late result of a cell that has left the table must not look like news of the one that took its place.
      if (this.#guards.get(name)?.breaker !== breaker) return;
      try {
        this.#options.onBreaker?.(name, to, from);
      } catch (error) {
        this.#options.onFault?.(error);
      }
    });
    return breaker;
  }
}
// #endregion resilience

/** What the breaker says; `permit` is given back when it cannot say anything. */
function allowedBy(breaker: CircuitBreaker | undefined, nowMs: number, permit: Permit | undefined) {
  try {
    return breaker?.allow(nowMs);
  } catch (error) {
    permit?.release();
    throw error;
  }
}

const nothingTaken: Admission = { record: () => {}, end: () => {} };

/** No retries: a cell that has left the table gets what is under way, and nothing more. */
const noRetries: RetryBudgetSettings = { ratio: 0, minPerSecond: 0, maxBalance: 1 };

function unguarded(url: string): Guard {
  const limit = new ConcurrencyLimit(undefined);
  return { url, limit, bucket: undefined, breaker: undefined, budget: new RetryBudget(noRetries) };
}
