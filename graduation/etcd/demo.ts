// The demo of a control plane that survives its machine: three etcd nodes, two control planes, one router of m4 that knows
// both, four cells, and requests all the time. Then one thing after the other fails.

import { randomBytes } from "node:crypto";
import { BrokenPromiseError } from "../../scripts/command-line.ts";
import { startCell } from "../../shared/cells/cell.ts";
import { Cluster, placementNames } from "../../shared/testkit/cluster.ts";
import { eventually } from "../../shared/testkit/eventually.ts";
import { contractRouting, startRouter } from "../../shared/testkit/router-process.ts";
import { endingWithParent } from "../end-with-parent.ts";
import type { Stage, Topic } from "../topic.ts";
import { type EtcdCluster, startEtcd } from "./cluster.ts";
import { adminUrl, expectStatus, named, shown, timed } from "./demo-steps.ts";
import { EtcdControlPlane } from "./etcd-control-plane.ts";
import { Traffic } from "./faults/traffic.ts";

export const topic: Topic = {
  title: "a control plane that survives its machine, on three nodes of etcd",
  engines: ["etcd"],
  run,
};

interface Parts {
  readonly etcd: EtcdCluster;
  /** By name. A killed one is started again on its port. */
  readonly controlPlanes: Map<string, EtcdControlPlane>;
  readonly cluster: Cluster;
  readonly startControlPlane: (name: string, port?: number) => Promise<EtcdControlPlane>;
}

async function run({ tell, signal, stays }: Stage): Promise<Readonly<Record<string, unknown>>> {
  await using stack = new AsyncDisposableStack();
  const parts = await start(stack, tell);
  const traffic = new Traffic([parts.cluster.url]);
  stack.defer(() => traffic.stop());
  const facts: Record<string, unknown> = {};
  for (const [index, step] of steps.entries()) {
    if (signal.aborted) return facts;
    tell(`\n${index + 1}/${steps.length} ${step.title}`);
    try {
      Object.assign(facts, await step.run(parts, (line) => tell(`  ${line}`)));
    } catch (error) {
      // The terminal's Ctrl-C ends the nodes of etcd, too.
      if (signal.aborted) return facts;
      throw error;
    }
  }
  await traffic.stop();
  tell(
    `\n${traffic.requests} requests went through the router meanwhile; ${traffic.failures.length} failed.`,
  );
  if (traffic.failures.length > 0) throw new BrokenPromiseError(traffic.failures.slice(0, 3).join("\n"));
  if (stays) await stay(parts, tell, signal);
  return { ...facts, requests: traffic.requests, failedRequests: traffic.failures.length };
}

/** `stack` ends what is started here, however far it gets. */
async function start(stack: AsyncDisposableStack, tell: Stage["tell"]): Promise<Parts> {
  const cells = new Map<string, Awaited<ReturnType<typeof startCell>>>();
  for (const name of placementNames) cells.set(name, stack.use(await startCell({ name })));
  const endpoints = Object.fromEntries([...cells].map(([name, { url }]) => [name, url]));
  const routing = contractRouting(endpoints);
  const etcd = stack.use(await startEtcd());
  tell(`etcd:           ${etcd.endpoints.join(", ")}`);
  const token = randomBytes(24).toString("base64url");
  const controlPlanes = new Map<string, EtcdControlPlane>();
  const startControlPlane = async (name: string, port = 0): Promise<EtcdControlPlane> => {
    const options = { name: `control plane ${name}`, endpoints: etcd.endpoints, routing, token, port };
    const controlPlane = stack.use(await EtcdControlPlane.start(options));
    controlPlanes.set(name, controlPlane);
    return controlPlane;
  };
  for (const name of ["A", "B"]) {
    const { url } = await startControlPlane(name);
    tell(`control plane ${name} ${url}`);
  }
  const urls = [...controlPlanes.values()].map(({ url }) => url);
  const env = { CONTROL_PLANE_URL: urls.join(), CONTROL_PLANE_TOKEN: token };
  const router = await startRouter({ stage: "m4", endpoints, env, launcher: endingWithParent([], "KILL") });
  const cluster = stack.use(new Cluster(router, cells));
  tell(`router (m4)     ${router.url}, admin ${adminUrl(cluster)}`);
  await eventually(async () => (await shown(cluster))["source"] === "control-plane", {
    what: "the router has a table from a control plane",
    deadlineMs: 15_000,
  });
  return { etcd, controlPlanes, cluster, startControlPlane };
}

interface Step {
  readonly title: string;
  readonly run: (parts: Parts, tell: Stage["tell"]) => Promise<object>;
}

const steps: readonly Step[] = [
  { title: "A key that is set through A arrives through B", run: setThroughA },
  { title: "Two writers start from the same table: one wins", run: race },
  { title: "The leader of etcd is killed", run: killLeader },
  { title: "The router's control plane is killed", run: killControlPlane },
  { title: "A second node of etcd is killed: no majority", run: loseQuorum },
  { title: "Everything comes back", run: comeBack },
];

async function setThroughA({ controlPlanes, cluster }: Parts, tell: Stage["tell"]): Promise<object> {
  const [a, b] = [named(controlPlanes, "A"), named(controlPlanes, "B")];
  const { reply, ms } = await timed(() => a.patch("globex", "visa", "*"));
  expectStatus(reply, 200);
  tell(`A: PATCH globex → visa: 200 in ${ms} ms, ETag ${reply.etag}`);
  await eventually(async () => (await b.etag()) === reply.etag, { what: "B has it", everyMs: 1 });
  await cluster.eventuallyServedBy("globex", "visa");
  tell(
    "B has the same table under the same ETag: epoch and revision are the cluster's, not a control plane's.",
  );
  tell("The router sends globex to visa.");
  return { writeMs: ms };
}

async function race({ controlPlanes }: Parts, tell: Stage["tell"]): Promise<object> {
  const [a, b] = [named(controlPlanes, "A"), named(controlPlanes, "B")];
  const etag = await a.etag();
  const replies = await Promise.all([a.patch("globex", "tier1", etag), b.patch("globex", "tier2", etag)]);
  const statuses = replies.map(({ status }) => status);
  if ([...statuses].sort().join() !== "200,412")
    throw new BrokenPromiseError(`Two writers with one ETag got ${statuses.join(" and ")}, not 200 and 412`);
  tell(`Both send If-Match: ${etag}. A gets ${statuses[0]}, B gets ${statuses[1]}.`);
  tell("If-Match is a compare-and-swap on the key's mod revision: etcd decides, whoever asks.");
  return {};
}

async function killLeader({ etcd, controlPlanes }: Parts, tell: Stage["tell"]): Promise<object> {
  const leader = await etcd.leader();
  await etcd.kill(leader);
  tell(`Node ${leader + 1} is gone. A write comes at the same moment.`);
  const { reply, ms } = await timed(() => named(controlPlanes, "A").patch("globex", "tier3", "*"));
  expectStatus(reply, 200);
  tell(`200 in ${ms} ms: the two that are left elect a leader first.`);
  return { writeDuringElectionMs: ms };
}

async function killControlPlane({ controlPlanes, cluster }: Parts, tell: Stage["tell"]): Promise<object> {
  const linked = String((await shown(cluster))["controlPlane"]);
  const isA = linked.startsWith(named(controlPlanes, "A").url.replace("http", "ws"));
  const [lost, left] = isA ? (["A", "B"] as const) : (["B", "A"] as const);
  const { ms } = await timed(async () => {
    await named(controlPlanes, lost).kill();
    await eventually(
      async () => {
        const { controlPlane, connected } = await shown(cluster);
        return connected === true && controlPlane !== linked;
      },
      { what: "the router moves to the other control plane", deadlineMs: 15_000 },
    );
  });
  tell(`${lost} is gone. ${ms} ms later the router is linked to ${left}.`);
  expectStatus(await named(controlPlanes, left).patch("globex", "tier1", "*"), 200);
  await cluster.eventuallyServedBy("globex", "tier1");
  tell(`A change through ${left} reaches it: globex is served by tier1.`);
  return { routerMovedMs: ms };
}

async function loseQuorum({ etcd, controlPlanes, cluster }: Parts, tell: Stage["tell"]): Promise<object> {
  await etcd.kill(await etcd.leader());
  const alive = [...controlPlanes.values()].find(({ program }) => !program.hasEnded);
  if (alive === undefined) throw new RangeError("one control plane is alive");
  const { reply, ms } = await timed(() => alive.patch("globex", "visa", "*"));
  expectStatus(reply, 503);
  tell(`PATCH globex → visa: 503 ${String(reply.body["code"])} after ${ms} ms. The reason:`);
  for (const fault of [reply.body["faults"]].flat()) tell(`  ${String(fault)}`);
  const read = await alive.get("/v1/routing/keys/globex");
  expectStatus(read, 200);
  tell(
    `GET goes on from memory: globex is at ${String(read.body["placement"])}. /healthz says what is wrong.`,
  );
  await cluster.expectServedBy("globex", "tier1");
  tell("The router serves: it asks nobody.");
  return { refusedWriteMs: ms };
}

async function comeBack(parts: Parts, tell: Stage["tell"]): Promise<object> {
  const { etcd, controlPlanes, cluster, startControlPlane } = parts;
  await etcd.start();
  for (const [name, { program, url }] of controlPlanes)
    if (program.hasEnded) await startControlPlane(name, Number(new URL(url).port));
  const [a, b] = [named(controlPlanes, "A"), named(controlPlanes, "B")];
  const read = await a.get("/v1/routing/keys/globex");
  if (read.body["placement"] !== "tier1")
    throw new BrokenPromiseError(`globex was at tier1, and is at ${String(read.body["placement"])}`);
  tell("Three nodes, two control planes. The last acknowledged write is there, and the refused one is not.");
  const reply = await a.patch("globex", "tier2", "*");
  expectStatus(reply, 200);
  await eventually(async () => (await b.etag()) === reply.etag, { what: "B has it" });
  await cluster.eventuallyServedBy("globex", "tier2");
  tell(`A write: 200, ETag ${reply.etag}. B and the router have it.`);
  return {};
}

async function stay({ etcd, controlPlanes }: Parts, tell: Stage["tell"], signal: AbortSignal): Promise<void> {
  tell("\nThe stack stays up until Ctrl-C. Try this:");
  for (const [name, { url, program, token }] of controlPlanes) {
    tell(
      `  npm run ctl routers -- --url ${url}    # the routers of control plane ${name}; its process is ${program.pid}`,
    );
    tell(`  npm run ctl set acme visa -- --url ${url} --token ${token}`);
  }
  const pids = Array.from({ length: etcd.size }, (_, index) => etcd.node(index).pid);
  tell(`  kill ${pids.slice(0, 2).join(" ")}    # two nodes of etcd; the third is ${pids[2]}`);
  if (!signal.aborted)
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}
