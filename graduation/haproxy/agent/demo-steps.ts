// The part of the demo that the agent plays: a key moves without a reload, the control plane dies, and a reload fails nobody.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BrokenPromiseError } from "../../../scripts/command-line.ts";
import { ControlPlaneClient } from "../../../scripts/ctl/client.ts";
import { setKey } from "../../../scripts/ctl/key-change.ts";
import { ask } from "../../../scripts/http-request.ts";
import type { Stack } from "../../../scripts/stack.ts";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { objectIn } from "../../../shared/testkit/json-text.ts";
import type { Stage } from "../../topic.ts";
import { measureReloads } from "./measure-reloads.ts";
import { startAgentStack } from "./stack.ts";

const reloads = 3;
const requestsWithout = 100;

/** The steps on a stack of their own, which is gone afterwards. */
export async function agentDemo({ tell, signal }: Pick<Stage, "tell" | "signal">) {
  const folder = mkdtempSync(join(tmpdir(), "haproxy-demo-"));
  tell("\nNow with a control plane: an agent takes its pushes, and changes HAProxy.");
  const stack = await startAgentStack({ stateFolder: join(folder, "s") });
  const stop = () => void stack.stop();
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await showAgent(stack, { tell });
  } finally {
    signal.removeEventListener("abort", stop);
    await stack.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Shows the three steps on a running stack. @throws BrokenPromiseError when HAProxy does otherwise */
export async function showAgent(stack: Stack, { tell }: Pick<Stage, "tell">) {
  const { controlPlane, routers } = stack;
  const [router] = routers;
  if (controlPlane === undefined || router === undefined) throw new BrokenPromiseError("half a stack");
  const token = readFileSync(controlPlane.tokenFile, "utf8").trim();
  const client = new ControlPlaneClient(controlPlane.url, [token]);

  tell("\nctl set moves a key: through the control plane and the agent into HAProxy's map, without a reload");
  const before = await workerOf(router.adminUrl);
  tell(`  acme is served by ${await servedBy(router.url, "acme")}`);
  const { words } = await setKey(client, "acme", "tier2");
  const sentAtMs = performance.now();
  await eventually(async () => (await servedBy(router.url, "acme")) === "tier2", {
    what: "HAProxy serves acme from tier2",
    deadlineMs: 10_000,
  });
  const tookMs = Math.round(performance.now() - sentAtMs);
  const [view] = (await client.fleet()).routers;
  tell(`  ${words}`);
  tell(`  acme is served by tier2, ${tookMs} ms after the control plane's response`);
  await eventually(async () => (await client.fleet()).routers[0]?.lagSeconds === 0, {
    what: "the agent has acked",
    deadlineMs: 10_000,
  });
  expectSame(await workerOf(router.adminUrl), before, "a key moved, and HAProxy was reloaded");
  tell(`  the agent (${view?.id}) has acked; HAProxy's worker is still process ${before}`);

  tell("\nThe control plane is killed: traffic goes on");
  await controlPlane.kill();
  for (let n = 0; n < requestsWithout; n++)
    expectSame(await servedBy(router.url, "acme"), "tier2", "the control plane is down");
  tell(`  ${requestsWithout} requests, all served by tier2`);
  await controlPlane.start();
  const isLinked = async () => (await client.fleet()).routers[0]?.connected;
  await eventually(isLinked, { what: "the agent is back", deadlineMs: 30_000 });
  tell("  it is back, and so is the agent's link");

  tell(`\n${reloads} tables with another placement: each is a reload, under load`);
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
