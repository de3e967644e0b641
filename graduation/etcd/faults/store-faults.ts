// What happens to the table in etcd: two writers want the same version, its history is compacted, an older backup returns.

import { BrokenRound, type Fault, type Round } from "./round.ts";
import type { ControlPlane } from "./world.ts";

/** Races in one round. */
const races = 10;

export const racingWriters: Fault = {
  name: "racing-writers",
  title: `two writers change the same version through two control planes, ${races} times: one wins`,
  since: "the last race",
  run: async (round) => {
    // Alone on the course: other writers would win some of the races.
    await round.settle();
    await round.recorder.begin(round.random.pick(round.world.running));
    let { version } = await round.recorder.get("judge", round.random.pick(round.world.running));
    for (let race = 0; race < races; race++) {
      round.strike();
      version = await runRace(round, version);
    }
    await round.recovered();
    await round.settle();
    await round.begin();
  },
};

/** @throws BrokenRound unless one of them wins. Returns the winner's version. */
async function runRace({ recorder, world, random }: Round, version: string): Promise<string> {
  const kinds = ["put", "patch"] as const;
  const writes = await Promise.all(
    world.running.map((via) => recorder.write(`racer ${via.name}`, via, random.pick(kinds), version)),
  );
  const [winner, ...others] = writes.flatMap(({ outcome }) =>
    outcome.kind === "stored" ? outcome.version : [],
  );
  const losers = writes.filter(({ outcome }) => outcome.kind === "conflict").length;
  if (winner !== undefined && others.length === 0 && losers === writes.length - 1) return winner;
  const outcomes = writes.map(({ outcome, why }) => `${outcome.kind} ${why}`);
  throw new BrokenRound(`Writers of ${version} were told: ${outcomes.join(", ")}`);
}

export const compactedWatch: Fault = {
  name: "compacted-watch",
  title: "a control plane stands still while others write, and etcd compacts what its watch still needs",
  since: "the moment when it goes on",
  needsGate: true,
  run: async (round) => {
    const { etcd, gate, running } = round.world;
    if (gate === undefined) throw new Error("Cannot break a watch: this world has no gate");
    const paused = round.random.pick(running);
    const others = running.filter((each) => each !== paused);
    const logged = paused.log.length;
    // Nobody writes while watches wait at the gate: a control plane whose watch is behind gives it up by itself.
    await round.pauseWriters();
    // Each has read the table and asks for what comes after it. The gate keeps that from etcd until it is too late.
    await gate.shut(running.length);
    paused.pause();
    try {
      // The newest revision survives a compaction: what the watch needs has to be an older one.
      for (let write = 0; write < 3; write++) await round.storedThrough(others);
      await etcd.compact();
    } finally {
      gate.open();
      round.strike();
      paused.resume();
    }
    await paused.logged("compacted everything before revision", logged);
    await round.recovered();
    round.write();
    await round.storedBy(4);
  },
};

export const responsesLost: Fault = {
  name: "responses-lost",
  title: "etcd carries a write out, and the control plane's connection ends before the response comes",
  since: "the last lost response",
  needsGate: true,
  run: async (round) => {
    const { gate } = round.world;
    if (gate === undefined) throw new Error("Cannot lose a response: this world has no gate");
    gate.loseEvery = 3;
    try {
      await round.storedBy(20);
    } finally {
      gate.loseEvery = 0;
    }
    round.strike();
    await round.recovered();
  },
};

export const olderBackup: Fault = {
  name: "older-backup",
  title: "an older backup of etcd is put back: a new epoch, and every router takes the older table",
  since: "the moment when etcd serves again",
  run: async (round) => {
    const { etcd } = round.world;
    await round.settle();
    const { value: kept } = await tableOf(round);
    const backup = await etcd.backup();
    await round.begin();
    await round.storedBy(8);
    await round.settle();
    const { epoch: lostEpoch, value: lost } = await tableOf(round);
    await etcd.restore(backup);
    round.strike();
    await round.converged((version) => epochOf(version) !== lostEpoch);
    const { value } = await tableOf(round);
    if (value !== kept)
      throw new BrokenRound(`The table is not the backup's: "${value}" for "${kept}"; lost was "${lost}"`);
    await round.begin();
    await round.recovered();
  },
};

async function tableOf({ recorder, world }: Round) {
  const via: ControlPlane | undefined = world.running[0];
  if (via === undefined) throw new Error("Cannot read the table: no control plane runs");
  const { version, value } = await recorder.get("reader", via);
  return { value, epoch: epochOf(version) };
}

function epochOf(version: string): string {
  return version.replace(/^"|\.\d+"$/g, "");
}
