// What the control plane knows of each router: what it runs, since when it lags behind, what it refused last. Routers
// that are away stay listed, up to a limit. Time is an argument.

import type { KnownRouter, Nack, RouterLink } from "./router-link.ts";

/** What an operator sees of a router. Ages are in seconds. */
export interface RouterView {
  readonly id: string;
  readonly connected: boolean;
  /** More than one: the router has just come back and its old link is not yet known to be dead, or two share an id. */
  readonly connections: number;
  /** What the router said last that it runs. */
  readonly epoch: string | null;
  readonly revision: number | null;
  /** Since when the router runs something else than the newest revision; 0 when it is up to date. */
  readonly lagSeconds: number;
  readonly lastNack: {
    readonly epoch: string;
    readonly revision: number;
    readonly reasons: readonly string[];
    readonly secondsAgo: number;
  } | null;
  /** Since the router was last heard of. */
  readonly seenSecondsAgo: number;
}

/** More reasons than this are counted, not kept: ten thousand routers may each have refused a table with a hundred. */
const maxReasons = 10;

export class KnownRouters {
  readonly #maxRemembered: number;
  readonly #routers = new Map<string, KnownRouter>();

  /** @param maxRemembered Routers without a link that are still listed; the one unseen for longest is forgotten first. */
  constructor(maxRemembered: number) {
    this.#maxRemembered = maxRemembered;
  }

  all(): Iterable<KnownRouter> {
    return this.#routers.values();
  }

  /** The router of this name, which may be new. */
  named(id: string, nowMs: number): KnownRouter {
    const known = this.#routers.get(id);
    if (known !== undefined) return known;
    const router = {
      id,
      links: new Set<RouterLink>(),
      runs: null,
      behindSinceMs: undefined,
      lastNack: undefined,
      seenAtMs: nowMs,
    };
    this.#routers.set(id, router);
    return router;
  }

  noteNack(router: KnownRouter, nack: Nack, nowMs: number): void {
    const more = nack.reasons.length - maxReasons;
    const reasons = more > 0 ? [...nack.reasons.slice(0, maxReasons), `… and ${more} more`] : nack.reasons;
    router.lastNack = { nack: { ...nack, reasons }, atMs: nowMs };
  }

  view(nowMs: number): RouterView[] {
    const seconds = (sinceMs: number) => Math.round(nowMs - sinceMs) / 1000;
    return [...this.#routers.values()].map(({ id, links, runs, behindSinceMs, lastNack, seenAtMs }) => ({
      id,
      connected: links.size > 0,
      connections: links.size,
      epoch: runs?.epoch ?? null,
      revision: runs?.revision ?? null,
      lagSeconds: behindSinceMs === undefined ? 0 : seconds(behindSinceMs),
      lastNack:
        lastNack === undefined
          ? null
          : {
              epoch: lastNack.nack.epoch,
              revision: lastNack.nack.revision,
              reasons: lastNack.nack.reasons,
              secondsAgo: seconds(lastNack.atMs),
            },
      seenSecondsAgo: seconds(seenAtMs),
    }));
  }

  /** Forgets routers that are away, beyond those that are remembered. */
  forget(): void {
    if (this.#routers.size <= this.#maxRemembered) return;
    const unlinked = [...this.#routers.values()].filter((router) => router.links.size === 0);
    if (unlinked.length <= this.#maxRemembered) return;
    unlinked.sort((a, b) => a.seenAtMs - b.seenAtMs);
    for (const { id } of unlinked.slice(0, unlinked.length - this.#maxRemembered)) this.#routers.delete(id);
  }
}
