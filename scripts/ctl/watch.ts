// Prints what changes in the fleet: a new revision, a router that comes, goes, catches up or refuses.

import { setTimeout as delay } from "node:timers/promises";
import { type ControlPlaneClient, type FleetView, type RouterView, Unreachable } from "./client.ts";
import { runsOf } from "./render.ts";

export interface WatchEvent {
  readonly event: "published" | "router" | "unreachable" | "reachable";
  readonly words: string;
  readonly [detail: string]: unknown;
}

const everyMs = 200;

/** Tells the present state first, then every change, until `signal` aborts. */
export async function watchFleet(
  client: ControlPlaneClient,
  signal: AbortSignal,
  tell: (event: WatchEvent) => void,
): Promise<void> {
  let before: FleetView | undefined = await client.fleet();
  for (const event of changes(undefined, before)) tell(event);
  let reachable = true;
  while (!signal.aborted) {
    await delay(everyMs, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    try {
      const now: FleetView = await client.fleet();
      if (!reachable) tell({ event: "reachable", words: "the control plane is back" });
      reachable = true;
      for (const event of changes(before, now)) tell(event);
      before = now;
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      if (reachable)
        tell({ event: "unreachable", words: "the control plane is gone; routers serve on without it" });
      reachable = false;
    }
  }
}

/** What is different in `now`, in words. */
export function changes(before: FleetView | undefined, now: FleetView): WatchEvent[] {
  const events: WatchEvent[] = [];
  const { epoch, revision } = now;
  if (before?.epoch !== epoch || before.revision !== revision) {
    const isNewEpoch = before !== undefined && before.epoch !== epoch;
    const words = `revision ${revision} ${isNewEpoch ? `of a new epoch, ${epoch}` : "is the newest"}`;
    events.push({ event: "published", words, epoch, revision });
  }
  for (const router of now.routers) {
    const words = routerWords(
      before?.routers.find(({ id }) => id === router.id),
      router,
      now,
    );
    if (words !== undefined) events.push({ event: "router", words: `${router.id} ${words}`, router });
  }
  return events;
}

function routerWords(before: RouterView | undefined, now: RouterView, fleet: FleetView): string | undefined {
  if (now.lastNack !== null && nackId(before) !== nackId(now)) {
    return `refused revision ${now.lastNack.revision}: ${now.lastNack.reasons.join("; ")}`;
  }
  if (before?.connected !== now.connected) {
    return now.connected ? `is linked and runs ${runsOf(now, fleet)}` : "is away";
  }
  if (before.revision !== now.revision || before.epoch !== now.epoch) return `runs ${runsOf(now, fleet)}`;
  return undefined;
}

/** Tells one refusal from the next: their ages only grow. */
function nackId(router: RouterView | undefined): string | undefined {
  const nack = router?.lastNack;
  return nack === undefined || nack === null ? undefined : `${nack.revision} ${nack.reasons.join()}`;
}
