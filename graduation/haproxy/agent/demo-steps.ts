// The part of the demo that the agent plays: a key moves without a reload, the control plane dies, and a reload fails nobody.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BrokenPromiseError } from "../../../scripts/command-line.ts";
import { ControlPlaneClient } from "../../../scripts/ctl/client.ts";
import { setKey } from "../../../scripts/ctl/key-change.ts";
import { ask } from "../../../scripts/http-request.ts";
import type { Stack } from "../../../scripts/stack.ts";
import { type EventuallyOptions, eventually } from "../../../shared/testkit/eventually.ts";
import { objectIn } from "../../../shared/testkit/json-text.ts";
import type { Stage } from "../../topic.ts";
import { measureReloads } from "./measure-reloads.ts";
import { startAgentStack } from "./stack.ts";

const reloads = 3;
const requestsWithout = 100;

/** Begins a step with this title. */
type Heading = (title: string) => void;

/** The steps on a stack of their own, which stays up with the demo where that does, and is gone afterwards. */
export async function agentDemo(stage: Stage, heading: Heading) {
  const { tell, signal, stays } = stage;
  signal.throwIfAborted();
  const folder = mkdtempSync(join(tmpdir(), "haproxy-demo-"));
  try {
    tell("\nNow with a control plane: an agent takes its pushes, and changes HAProxy.");
    await using stack = await startAgentStack({ stateFolder: join(folder, "s") });
    signal.throwIfAborted();
    const facts = await showAgent(stack, stage, heading);
    tell("\nAll 12 steps as promised.");
    if (stays) await stay(stack, folder, stage);
    return facts;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function stay(stack: Stack, folder: string, { tell, signal }: Stage): Promise<void> {
  const { controlPlane, routers } = stack;
  if (controlPlane === undefined) return;
  const token = readFileSync(controlPlane.tokenFile, "utf8").trim();
  tell("\nThis stack stays up until Ctrl-C. Look around:");
  tell(`  curl -i -H 'X-Routing-Key: acme' ${routers[0]?.url}/`);
  tell(`  npm run ctl set acme tier3 -- --url ${controlPlane.url} --token ${token}`);
  tell(`  npm run ctl routers -- --url ${controlPlane.url}`);
  tell(`  less ${join(folder, "s", "router", "haproxy", "haproxy.cfg")}`);
  if (!signal.aborted)
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}

/** Shows the three steps on a running stack. @throws BrokenPromiseError when HAProxy does otherwise */
async function showAgent(stack: Stack, { tell, signal }: Stage, heading: Heading) {
  const { controlPlane, routers } = stack;
  const [router] = routers;
  if (controlPlane === undefined || router === undefined) throw new BrokenPromiseError("half a stack");
  const token = readFileSync(controlPlane.tokenFile, "utf8").trim();
  const client = new ControlPlaneClient(controlPlane.url, [token]);
  /** Waits no longer than until Ctrl-C, which ends parts of the stack, too. */
  const untilThere = async (condition: () => Promise<unknown>, options: EventuallyOptions) => {
    await eventually(async () => signal.aborted || (await condition()), options);
    signal.throwIfAborted();
  };

  heading(
    "ctl set moves a key: through the control plane and the agent into HAProxy's map, without a reload",
  );
  const before = await workerOf(router.adminUrl);
  tell(`  acme is served by ${await servedBy(router.url, "acme")}`);
  const { words } = await setKey(client, "acme", "tier2");
  const sentAtMs = performance.now();
  await untilThere(async () => (await servedBy(router.url, "acme")) === "tier2", {
    what: "HAProxy serves acme from tier2",
    deadlineMs: 10_000,
  });
  const tookMs = Math.round(performance.now() - sentAtMs);
  const [view] = (await client.fleet()).routers;
  tell(`  ${words}`);
  tell(`  acme is served by tier2, ${tookMs} ms after the control plane's response`);
  await untilThere(async () => (await client.fleet()).routers[0]?.lagSeconds === 0, {
    what: "the agent has acked",
    deadlineMs: 10_000,
  });
  expectSame(await workerOf(router.adminUrl), before, "a key moved, and HAProxy was reloaded");
  tell(`  the agent (${view?.id}) has acked; HAProxy's worker is still process ${before}`);

  heading("The control plane is killed: traffic goes on");
  signal.throwIfAborted();
  await controlPlane.kill();
  for (let n = 0; n < requestsWithout; n++)
    expectSame(await servedBy(router.url, "acme"), "tier2", "the control plane is down");
  signal.throwIfAborted();
  tell(`  ${requestsWithout} requests, all served by tier2`);
  await controlPlane.start();
  const isLinked = async () => (await client.fleet()).routers[0]?.connected;
  await untilThere(isLinked, { what: "the agent is back", deadlineMs: 30_000 });
  tell("  it is back, and so is the agent's link");

  heading(`${reloads} tables with another placement: each is a reload, under load`);
  const cost = await measureReloads(stack, reloads);
  if (cost.failed > 0)
    throw new BrokenPromiseError(`a reload failed ${cost.failed} requests: ${cost.violations[0]}`);
  tell(
    `  ${cost.requests} requests from ${cost.clients} clients, ${cost.failed} failed, ${cost.reloads} reloads`,
  );
  return {
    keyMovedInMs: tookMs,
    requestsWithoutControlPlane: requestsWithout,
    reloads: cost.reloads,
    failed: cost.failed,
  };
}

/** The placement that served, which the cell confirms. */
async function servedBy(url: string, key: string): Promise<string> {
  const { status, headers, body } = await ask({ url, headers: { "X-Routing-Key": key } });
  const placement = headers["x-routed-to"]?.toString() ?? "";
  if (status !== 200 || objectIn(body)?.["cell"] !== placement)
    throw new BrokenPromiseError(`${key}: ${status}, X-Routed-To ${placement}: ${body.slice(0, 200)}`);
  return placement;
}

async function workerOf(adminUrl: string): Promise<number> {
  const { body } = await ask({ url: `${adminUrl}/debug/config` });
  const { haproxy } = JSON.parse(body) as { readonly haproxy: { readonly worker: number } };
  return haproxy.worker;
}

function expectSame<Value>(got: Value, expected: Value, when: string): void {
  if (got !== expected) throw new BrokenPromiseError(`${when}: expected ${expected}, got ${got}`);
}
