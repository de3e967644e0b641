// What happens to etcd's nodes: one is killed, the leader is killed or stands still, a majority is gone.

import { ask } from "../../../scripts/http-request.ts";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { BrokenRound, type Fault, type Round } from "./round.ts";

export const nodeKilled: Fault = {
  name: "node-killed",
  title: "a follower is killed, and started again",
  since: "the kill",
  run: async (round) => {
    const { etcd } = round.world;
    const leader = await etcd.leader();
    const followers = etcd.endpoints.map((_, index) => index).filter((index) => index !== leader);
    const follower = round.random.pick(followers);
    round.strike();
    await etcd.kill(follower);
    await round.recovered();
    await etcd.restart(follower);
    await round.storedBy(4);
  },
};

export const leaderKilled: Fault = {
  name: "leader-killed",
  title: "the leader is killed in the middle of a write",
  since: "the kill",
  run: async (round) => {
    const { etcd } = round.world;
    const leader = await etcd.leader();
    await writeUnderWay(round);
    round.strike();
    await etcd.kill(leader);
    await round.recovered();
    await etcd.restart(leader);
    await round.storedBy(4);
  },
};

export const leaderPaused: Fault = {
  name: "leader-paused",
  title: "the leader stands still (SIGSTOP), and goes on when there is another one",
  since: "the pause",
  run: async (round) => {
    const { etcd } = round.world;
    const leader = await etcd.leader();
    await writeUnderWay(round);
    round.strike();
    etcd.pause(leader);
    try {
      await round.recovered();
    } finally {
      etcd.resume(leader);
    }
    await round.storedBy(4);
  },
};

export const quorumLost: Fault = {
  name: "quorum-lost",
  title: "two of three nodes are killed: reads and traffic go on, writes are refused",
  since: "the start of the second node",
  run: async (round) => {
    const { etcd } = round.world;
    const leader = await etcd.leader();
    const lost = [leader, (leader + 1) % etcd.size];
    await Promise.all(lost.map((index) => etcd.kill(index)));
    await expectReadOnly(round);
    round.strike();
    const [first = 0, second = 0] = lost;
    await etcd.restart(first);
    await round.recovered();
    await etcd.restart(second);
    await round.storedBy(4);
  },
};

async function writeUnderWay({ recorder }: Round): Promise<void> {
  await eventually(() => recorder.writesUnderWay > 0, { what: "a write is under way", everyMs: 0 });
}

/** Every control plane serves its table, refuses a write, and says why; the routers' clients notice nothing. */
async function expectReadOnly(round: Round): Promise<void> {
  const { recorder, world } = round;
  const refused = world.running.map(async (via) => {
    const { version } = await recorder.get("reader", via);
    const { outcome, why = "" } = await recorder.write("writer without a quorum", via, "patch", version);
    if (outcome.kind !== "refused" && outcome.kind !== "unknown")
      throw new BrokenRound(
        `${via.name} responded "${outcome.kind}" to a write that no majority can have stored`,
      );
    if (!why.includes("store-unwritable: ") && !why.includes("outcome-unknown: "))
      throw new BrokenRound(`${via.name} did not say why it refused a write: ${why}`);
  });
  await Promise.all(refused);
  for (const { url } of world.routers) {
    const { status } = await ask({ url, headers: { "X-Routing-Key": "acme" } });
    if (status !== 200) throw new BrokenRound(`A router responded ${status} while etcd had no quorum`);
  }
}
