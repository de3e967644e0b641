// Says at once, and once, that the router's process has ended: with its exit code and its last words, instead of broken
// connections in this case and refused ones in all the later ones, which are not run.

import { afterEach, beforeEach } from "vitest";
import { eventually } from "../testkit/eventually.ts";
import { accepts } from "../testkit/raw-client.ts";
import type { RunningRouter } from "./target.ts";

export class RouterEnded extends Error {
  override readonly name = "RouterEnded";
}

/** The broken connection is seen before the end of the process. */
const endDeadlineMs = 1_000;

export interface RouterEndOptions {
  /** Each case starts routers of its own: the later ones are run. @default false */
  readonly perCase?: boolean;
}

type Watched = Pick<RunningRouter, "url" | "howItEnded">;

/**
 * Fails the case in which a router ends, and skips the cases after it. Call it inside the suite's `describe`, after the
 * suite's other hooks: the last one is the first to see the end of a case.
 *
 * @param routers Those that should be running now.
 * @returns Whether one has ended: what waits for time limits beside the cases can stop waiting.
 */
export function stopAtRouterEnd(
  routers: () => readonly Watched[],
  options: RouterEndOptions = {},
): () => boolean {
  let isLost = false;
  const lossNow = () => routers().flatMap((router) => router.howItEnded?.() ?? [])[0];
  beforeEach(({ skip }) => {
    if (isLost) skip("not run: the router has ended");
    const words = lossNow();
    if (words === undefined) return;
    isLost = true;
    throw new RouterEnded(`${words}\nIt ended in the case before this one, or after it.`);
  });
  afterEach(async ({ task }) => {
    if (isLost) return;
    const hasFailed = task.result?.state === "fail";
    const words = lossNow() ?? (hasFailed ? await lossSoon(routers, lossNow) : undefined);
    if (words === undefined) return;
    isLost = options.perCase !== true;
    // What the case itself saw of it says less.
    task.result?.errors?.splice(0);
    throw new RouterEnded(words);
  });
  return () => isLost;
}

/** What a case that has failed may be about to find out. */
async function lossSoon(
  routers: () => readonly Watched[],
  lossNow: () => string | undefined,
): Promise<string | undefined> {
  for (const { url, howItEnded } of routers()) {
    if (await accepts(url)) continue;
    if (howItEnded === undefined) return `The router at ${url} no longer accepts connections.`;
    await eventually(lossNow, { what: "the end", deadlineMs: endDeadlineMs }).catch(() => {});
  }
  return lossNow();
}
