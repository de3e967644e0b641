// What the demos of m3 and later ask the control plane, as `npm run ctl` and an operator's tools do.

import { readFileSync } from "node:fs";
import type { DemoContext } from "../demo.ts";
import type { Expected } from "../demo-expect.ts";
import type { ReceivedResponse } from "../http-request.ts";

/** The control plane's current revision, as the entity tag that a write has to name. */
export async function currentTag(demo: DemoContext): Promise<string> {
  const { headers } = await demo.ask({ to: demo.controlPlane, path: "/v1/routing", expect: { status: 200 } });
  return headers.etag ?? "";
}

/** Moves one key to a placement, on the condition that `tag` is still the current revision. */
export async function moveKey(
  demo: DemoContext,
  key: string,
  placement: string,
  tag: string,
  expect: Expected,
): Promise<ReceivedResponse> {
  demo.act(`move ${key} to ${placement}, if the table is still ${tag}`);
  return await demo.ask({
    to: demo.controlPlane,
    method: "PATCH",
    path: `/v1/routing/keys/${key}`,
    headers: {
      Authorization: `Bearer ${readFileSync(demo.controlPlane.tokenFile, "utf8").trim()}`,
      "If-Match": tag,
      "Content-Type": "application/json",
    },
    body: JSON.stringify({ placement }),
    expect,
  });
}

/** Asks every router of the fleet until each of them serves `key` from `cell`. */
export async function servedEverywhere(
  demo: DemoContext,
  key: string,
  cell: string,
  withinMs = 10_000,
): Promise<void> {
  const expect = { status: 200, routedTo: cell, headers: { "x-cell": cell } };
  for (const to of demo.stack.routers) await demo.askUntil({ to, key, path: "/pay", expect }, withinMs);
}
