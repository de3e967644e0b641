// Sends a request in pieces that stay pieces: the router has had time to read one before the next one leaves.

import { setTimeout as delay } from "node:timers/promises";
import { RawClient } from "../../shared/testkit/raw-client.ts";
import type { DemoContext } from "../demo.ts";

/** Long enough for the other end to read what has come; a kernel may join what is written closer together. */
const pauseMs = 15;

/**
 * Sends `pieces` on one connection and holds the responses to `statuses`, one per request. What the router refuses itself
 * must not name a placement: a cell's refusal of the same request would come too late.
 */
export async function sendPieces(
  demo: DemoContext,
  words: string,
  pieces: readonly string[],
  statuses: readonly number[],
): Promise<void> {
  demo.act(`send ${words}`);
  await using client = await RawClient.connect(demo.router.url, { deadlineMs: 5_000 });
  for (const [index, piece] of pieces.entries()) {
    if (index > 0) await delay(pauseMs);
    await client.write(piece);
  }
  for (const status of statuses) {
    const response = await client.readResponse({ method: "GET" });
    const placement = response.headers.one("x-routed-to");
    demo.showResponse(response.status, placement === undefined ? {} : { "X-Routed-To": placement });
    demo.check(response.status === status ? undefined : `expected status ${status}, got ${response.status}`);
    const isOurs = status < 400 || placement === undefined;
    demo.check(isOurs ? undefined : `the router passed it on: ${placement} refused it`);
  }
}
