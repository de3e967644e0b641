// An etcd cluster of three nodes on 127.0.0.1 that a test can break: kill a node, stop its clock, put an older backup back.
//
//   await using etcd = await startEtcd();
//   await etcd.kill(await etcd.leader());
//
// Every write is on disk before etcd confirms it: the version in Debian has no flag that turns fsync off.

import { execFile } from "node:child_process";
import { rmSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { freePorts } from "../../bench/free-port.ts";
import { eventually } from "../../shared/testkit/eventually.ts";
import { dataFolder, EtcdNode } from "./etcd-node.ts";

const nodes = 3;

/** A cluster of three that starts on a busy machine; an election takes up to three election timeouts. */
const readyDeadlineMs = 30_000;

export class EtcdCluster implements AsyncDisposable {
  readonly #folder: string;
  readonly #nodes: readonly EtcdNode[];
  #backups = 0;
  /** For an exit that leaves no time for an orderly end. */
  readonly #removeFolder = (): void => rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });

  /** Use `startEtcd`. */
  constructor(folder: string, nodes: readonly EtcdNode[]) {
    this.#folder = folder;
    this.#nodes = nodes;
    process.once("exit", this.#removeFolder);
  }

  /** Client URLs of all nodes, running or not. */
  get endpoints(): readonly string[] {
    return this.#nodes.map((node) => node.url);
  }

  get size(): number {
    return this.#nodes.length;
  }

  node(index: number): EtcdNode {
    const node = this.#nodes[index];
    if (node === undefined) throw new RangeError(`Cannot find node ${index}: there are ${this.size}`);
    return node;
  }

  /** Starts all nodes that do not run, and resolves when all serve. */
  async start(): Promise<void> {
    for (const node of this.#nodes) if (!node.isRunning) node.start();
    await Promise.all(this.#nodes.map((node) => node.ready(readyDeadlineMs)));
  }

  /** SIGKILL. The node's port stays free until `restart`. */
  async kill(index: number): Promise<void> {
    await this.node(index).kill();
  }

  /** Starts a killed node on its data and its port again, and resolves when it serves. */
  async restart(index: number): Promise<void> {
    const node = this.node(index);
    if (!node.isRunning) node.start();
    await node.ready(readyDeadlineMs);
  }

  /** SIGSTOP: the node's connections stay open and say nothing. */
  pause(index: number): void {
    this.node(index).signal("SIGSTOP");
  }

  resume(index: number): void {
    this.node(index).signal("SIGCONT");
  }

  /** Index of the leader that a majority follows. Waits for an election. */
  leader(): Promise<number> {
    // Wrapped, because the first node's index is 0, and that is not "not yet".
    const found = eventually(
      async () => {
        const index = await this.#leaderNow();
        return index === undefined ? undefined : { index };
      },
      { what: "a majority follows one leader", deadlineMs: 15_000, everyMs: 20 },
    );
    return found.then(({ index }) => index);
  }

  /** Forgets every revision before the present one: a watch that asks for an older one is cancelled. */
  async compact(): Promise<void> {
    const node = this.node(await this.leader());
    const { revision } = await node.status();
    await node.call("/v3/kv/compaction", { revision: String(revision), physical: true });
  }

  /**
   * Copies all data folders while all nodes stand still, which takes well under a second: what a snapshot of the machines'
   * volumes would hold. Returns the folder with the copies.
   */
  async backup(): Promise<string> {
    const leader = await this.leader();
    const folder = join(this.#folder, `backup-${++this.#backups}`);
    await mkdir(folder);
    // The leader first: without it nothing is committed, so the three copies fit together.
    const running = [leader, ...this.#nodes.keys()].filter((index) => this.node(index).isRunning);
    for (const index of running) this.pause(index);
    try {
      await Promise.all(
        this.#nodes.map((node, index) => copyFolder(node.plan.folder, dataFolder(folder, index))),
      );
    } finally {
      for (const index of running) this.resume(index);
    }
    await this.leader();
    return folder;
  }

  /**
   * Kills the cluster and starts it from a backup. Everything written since is gone, revisions are given out a second time,
   * and the cluster keeps its id: so it does after `etcdctl snapshot restore` with the same URLs and token, since etcd
   * derives the id from these. Nothing in etcd tells that this happened.
   */
  async restore(backup: string): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.kill()));
    for (const [index, node] of this.#nodes.entries()) {
      await node.removeData();
      await copyFolder(dataFolder(backup, index), node.plan.folder);
    }
    await this.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.kill()));
    process.off("exit", this.#removeFolder);
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #leaderNow(): Promise<number | undefined> {
    const asked = await Promise.allSettled(this.#nodes.map((node) => node.status()));
    const votes = asked.map((each) => (each.status === "fulfilled" ? each.value : undefined));
    const index = votes.findIndex((vote) => vote !== undefined && vote.leaderId === vote.memberId);
    const followers = votes.filter((vote) => vote?.leaderId === votes[index]?.memberId);
    return index >= 0 && followers.length > this.size / 2 ? index : undefined;
  }
}

/** Starts a cluster with empty data, and resolves when every node serves. */
export async function startEtcd(): Promise<EtcdCluster> {
  for (let attempt = 1; ; attempt++) {
    const cluster = await plannedCluster();
    try {
      await cluster.start();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      // Somebody took one of the ports between the look and the start.
      if (attempt < 3 && String(error).includes("address already in use")) continue;
      throw error;
    }
  }
}

async function plannedCluster(): Promise<EtcdCluster> {
  const folder = await mkdtemp(join(tmpdir(), "cell-routing-etcd-"));
  const clusterToken = basename(folder);
  const ports = await freePorts(nodes * 2);
  const peers = ports.slice(nodes);
  const members = peers.map((port, index) => `n${index + 1}=http://127.0.0.1:${port}`).join(",");
  const planned = peers.map((peerPort, index) => {
    const clientPort = ports[index] ?? 0;
    const place = { name: `n${index + 1}`, folder: dataFolder(folder, index), clientPort, peerPort };
    return new EtcdNode({ ...place, members, clusterToken });
  });
  return new EtcdCluster(folder, planned);
}

/** etcd reserves 64 MB of disk for each log file before it writes into it; `--sparse` leaves that out of the copy. */
async function copyFolder(from: string, to: string): Promise<void> {
  await promisify(execFile)("cp", ["--recursive", "--sparse=always", "--no-target-directory", from, to]);
}
