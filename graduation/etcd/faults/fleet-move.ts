// How long a fleet takes to move when its control plane dies: 1,000 routers of m3, all linked to one of two control planes
// on one etcd cluster. It is killed, a key is changed through the other one, and every router must run that change.
//
//   npx tsx graduation/etcd/faults/fleet-move.ts
//   npx tsx graduation/etcd/faults/fleet-move.ts --routers 200 --rounds 3 --json
//
// The routers' ends are those of `npm run bench -- fleet`: the stage's own client, receiver, pings and backoff, in two
// processes. Exit codes: 0 every router moved in every round, 1 wrong arguments, 2 one did not.

import { type ClientProcess, startClients } from "../../../bench/fleet/client-processes.ts";
import { machineNowMs } from "../../../bench/fleet/machine-clock.ts";
import { expectEveryRouterAt, percentile, tableOf } from "../../../bench/fleet/push-rounds.ts";
import { formatTable } from "../../../bench/table.ts";
import { runCommand, UsageError, wholeNumber } from "../../../scripts/command-line.ts";
import { ask } from "../../../scripts/http-request.ts";
import { engineVersion, missingEngine } from "../../topic.ts";
import { type ControlPlane, startWorld, token, type World } from "./world.ts";

const usage = `Usage: npx tsx graduation/etcd/faults/fleet-move.ts [flags]
  --routers N  1 to 5000 (1000)
  --rounds N   moves, to and fro, 1 to 100 (5)
  --json       the figures as one JSON object
  --help       this text`;

const options = {
  routers: { type: "string" },
  rounds: { type: "string" },
  json: { type: "boolean" },
} as const;

/** Keys of the table that every router is sent. */
const keys = 1_000;
const giveUpMs = 120_000;

await runCommand({ name: "fleet-move", usage, options, flagsOnly: true }, async (values) => {
  const missing = missingEngine(["etcd"]);
  if (missing !== undefined) throw new UsageError(missing);
  const routers = wholeNumber("--routers", values.routers ?? "1000", 1, 5_000);
  const rounds = wholeNumber("--rounds", values.rounds ?? "5", 1, 100);
  // Not by the signal itself: what this process has started would outlive it.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(2));
  const moves = await measure(routers, rounds);
  const all = moves.flat();
  const lasts = moves.map((each) => Math.max(...each));
  const result = {
    takenAt: new Date().toISOString(),
    etcd: engineVersion("etcd"),
    routers,
    rounds,
    keys,
    p50Ms: Math.round(percentile(all, 0.5)),
    p99Ms: Math.round(percentile(all, 0.99)),
    lastAckMedianMs: Math.round(percentile(lasts, 0.5)),
    lastAckMaxMs: Math.round(Math.max(...lasts)),
  };
  console.log(values.json === true ? JSON.stringify(result) : textOf(result));
  return 0;
});

/** For each move, the milliseconds from the kill until each router had applied what was written after it. */
async function measure(routers: number, rounds: number): Promise<number[][]> {
  await using world = await startWorld({ routers: 0 });
  const [first, second] = world.controlPlanes;
  if (first === undefined || second === undefined) throw new Error("Cannot move between fewer than two");
  let revision = await write(first, "PUT", "/v1/routing", tableOf(keys, 0));
  // Down while the routers look for a control plane, so that all of them begin at the first one.
  await second.kill();
  const clients = startFleet(world, routers);
  try {
    await Promise.all(clients.map((each) => each.acked(revision)));
    await second.start();
    const moves: number[][] = [];
    for (let round = 0; round < rounds; round++) {
      const [from, to] = round % 2 === 0 ? [first, second] : [second, first];
      const killedAtMs = machineNowMs();
      await from.kill();
      revision = await write(to, "PATCH", "/v1/routing/keys/moved", { placement: `tier${1 + (round % 8)}` });
      const reports = await Promise.all(clients.map((each) => each.acked(revision)));
      moves.push(reports.flatMap(({ atMs }) => atMs.map((each) => each - killedAtMs)));
      // Its own account must agree.
      await expectEveryRouterAt(to.url, revision, routers);
      process.stderr.write(
        `move ${round + 1}: the last of ${routers} after ${Math.round(Math.max(...(moves.at(-1) ?? [])))} ms\n`,
      );
      await from.start();
    }
    return moves;
  } finally {
    for (const each of clients) each.stop();
  }
}

function startFleet(world: World, routers: number): ClientProcess[] {
  const url = world.controlPlanes.map((each) => `${each.url.replace(/^http/, "ws")}/v1/connect`).join(",");
  const job = { stage: "m3", acceptsDeltas: false, url, token, maxMessageBytes: 16 * 1024 * 1024 } as const;
  return startClients(job, { routers, processes: 2, signal: AbortSignal.timeout(giveUpMs) });
}

/** Returns the revision that it made. */
async function write(to: ControlPlane, method: string, path: string, body: unknown): Promise<number> {
  const headers = { Authorization: `Bearer ${token}`, "If-Match": "*", "Content-Type": "application/json" };
  const { status, body: said } = await ask({
    url: `${to.url}${path}`,
    method,
    headers,
    body: JSON.stringify(body),
  });
  if (status !== 200) throw new Error(`${method} ${path} was told ${status}: ${said.slice(0, 300)}`);
  return (JSON.parse(said) as { readonly revision: number }).revision;
}

function textOf(
  result: Record<"routers" | "rounds" | "p50Ms" | "p99Ms" | "lastAckMedianMs" | "lastAckMaxMs", number>,
): string {
  const { routers, rounds, p50Ms, p99Ms, lastAckMedianMs, lastAckMaxMs } = result;
  const titles = ["routers", "moves", "p50 ms", "p99 ms", "last ack ms", "worst ms"];
  const row = [routers, rounds, p50Ms, p99Ms, lastAckMedianMs, lastAckMaxMs].map(String);
  return formatTable(titles, [row]);
}
