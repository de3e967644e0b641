// Chooses the placement that serves when the one that was routed to cannot: only along the chain that the table
// names, never into a tenant's own cell. Whether a placement can take a request is asked of the caller.

/** What failover reads of a placement. */
export interface ChainedPlacement {
  readonly name: string;
  readonly kind: "dedicated" | "tier";
  readonly fallback?: readonly string[] | undefined;
}

/** Why a request may be served elsewhere; sent to the client as `X-Failover-Reason`. */
export type FailoverReason = "unhealthy" | "circuit-open" | "connect-failed";

/** Why a placement does not take a request. `retryAfterMs`: when it may take one again, where that is known. */
export interface Refusal {
  readonly reason: FailoverReason | "overloaded";
  readonly retryAfterMs?: number | undefined;
}

export interface SkippedPlacement {
  readonly placement: string;
  readonly reason: Refusal["reason"];
}

export type TargetChoice<P> =
  /** The placement that was routed to takes the request. */
  | { readonly kind: "primary"; readonly target: P; readonly skipped: readonly SkippedPlacement[] }
  /** A placement of the chain takes it. `from` and `reason` are the primary's. */
  | {
      readonly kind: "fallback";
      readonly target: P;
      readonly from: P;
      readonly reason: FailoverReason;
      readonly skipped: readonly SkippedPlacement[];
    }
  /** Nobody takes it. `reason` is the primary's, `retryAfterMs` the shortest that any placement named. */
  | {
      readonly kind: "none";
      readonly reason: Refusal["reason"];
      readonly retryAfterMs: number | undefined;
      readonly skipped: readonly SkippedPlacement[];
    };

const NONE_SKIPPED: readonly SkippedPlacement[] = [];

// #region choose-target
/**
 * Asks the primary, then its chain, until one takes the request.
 *
 * `admit` is called at most once for each placement, and not again after it has taken the request: it may take
 * permits. Every placement is asked in the same way, so a fallback cannot bypass its own limit or breaker.
 *
 * An overloaded primary does not fail over: its flood would go on to its neighbours, which is what the limit prevents.
 *
 * @param admit Returns undefined when the placement takes the request.
 */
export function chooseTarget<P extends ChainedPlacement>(
  table: { readonly placements: ReadonlyMap<string, P> },
  primary: P,
  admit: (placement: P) => Refusal | undefined,
): TargetChoice<P> {
  const refusal = admit(primary);
  if (refusal === undefined) return { kind: "primary", target: primary, skipped: NONE_SKIPPED };
  const { reason } = refusal;
  const skipped: SkippedPlacement[] = [{ placement: primary.name, reason }];
  let retryAfterMs = refusal.retryAfterMs;
  if (reason === "overloaded") return { kind: "none", reason, retryAfterMs, skipped };
  for (const target of fallbackChain(table, primary)) {
    const refused = admit(target);
    if (refused === undefined) return { kind: "fallback", target, from: primary, reason, skipped };
    skipped.push({ placement: target.name, reason: refused.reason });
    retryAfterMs = shorter(retryAfterMs, refused.retryAfterMs);
  }
  return { kind: "none", reason, retryAfterMs, skipped };
}
// #endregion choose-target

// #region fallback-chain
/**
 * The placements that may serve in `primary`'s stead: first all that it names itself, in its order, then all that those
 * name, and so on; each once. It ends in a table with loops, too, and leaves out every dedicated cell: that is
 * some other tenant's (invariant 5), even if a table that nobody validated names it.
 */
export function* fallbackChain<P extends ChainedPlacement>(
  table: { readonly placements: ReadonlyMap<string, P> },
  primary: P,
): Generator<P, void, undefined> {
  const seen = new Set<string>([primary.name]);
  const waiting: P[] = [primary];
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    if (next !== primary) yield next;
    for (const name of next.fallback ?? []) {
      const fallback = table.placements.get(name);
      if (fallback === undefined || fallback.kind === "dedicated" || seen.has(name)) continue;
      seen.add(name);
      waiting.push(fallback);
    }
  }
}
// #endregion fallback-chain

function shorter(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}
