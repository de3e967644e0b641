// One node of an etcd cluster on 127.0.0.1, as a process of its own: what starts it, and what it says about itself.

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "../../shared/testkit/eventually.ts";
import { jsonIn, objectIn } from "../../shared/testkit/json-text.ts";
import { Program } from "../../shared/testkit/program.ts";
import { endingWithParent } from "../end-with-parent.ts";

export interface NodePlan {
  readonly name: string;
  /** Data folder. */
  readonly folder: string;
  readonly clientPort: number;
  readonly peerPort: number;
  /** `n1=http://127.0.0.1:2380,n2=…`: the same for every node. */
  readonly members: string;
  /** A node of another cluster, which may have had these ports before, is refused. */
  readonly clusterToken: string;
}

/** What a node says when asked for its status. All numbers of etcd are 64 bits long, so JSON holds them as text. */
export interface NodeStatus {
  readonly clusterId: string;
  readonly memberId: string;
  /** Member id of the leader that this node follows; "0" without one. */
  readonly leaderId: string;
  readonly revision: number;
}

/** Bounds on one node: a workbook's cluster must not take a laptop's memory or disk. */
const quotaBytes = 64 * 1024 * 1024;
const memoryLimit = "96MiB";

/** etcd's own default. A follower that has heard no heartbeat for this long, up to twice of it, stands for election. */
const electionMs = 1_000;

export class EtcdNode {
  readonly plan: NodePlan;
  #program: Program | undefined;

  constructor(plan: NodePlan) {
    this.plan = plan;
  }

  get url(): string {
    return `http://127.0.0.1:${this.plan.clientPort}`;
  }

  get isRunning(): boolean {
    return this.#program !== undefined && !this.#program.hasEnded;
  }

  get pid(): number {
    return this.#program?.pid ?? 0;
  }

  /** Starts the process and does not wait. */
  start(): void {
    const { name, folder, peerPort, members, clusterToken } = this.plan;
    const peerUrl = `http://127.0.0.1:${peerPort}`;
    const words = [
      ...["etcd", "--name", name, "--data-dir", folder],
      ...["--listen-client-urls", this.url, "--advertise-client-urls", this.url],
      ...["--listen-peer-urls", peerUrl, "--initial-advertise-peer-urls", peerUrl],
      ...["--initial-cluster", members, "--initial-cluster-state", "new"],
      ...["--initial-cluster-token", clusterToken],
      ...["--election-timeout", String(electionMs)],
      ...["--quota-backend-bytes", String(quotaBytes), "--snapshot-count", "1000"],
      ...["--max-snapshots", "1", "--max-wals", "1"],
      ...["--logger", "zap", "--log-outputs", "stderr", "--log-level", "warn"],
    ];
    const [command = "", ...args] = endingWithParent(words, "KILL");
    this.#program = new Program({
      name: `etcd ${name}`,
      command,
      args,
      // etcd reads ETCD_… variables, too; ETCD_ENDPOINTS is the control plane's.
      env: { GOMEMLIMIT: memoryLimit, GOMAXPROCS: "2", ETCD_ENDPOINTS: undefined },
    });
    // Whether it could be started at all is told by `ready`.
    this.#program.exited.catch(() => {});
  }

  /** Waits until the node serves, which takes a leader. @throws Error with its last words when it ends before that */
  async ready(deadlineMs: number): Promise<void> {
    const program = this.#program;
    await eventually(async () => program?.hasEnded === true || (await this.#isHealthy()), {
      what: `${this.plan.name} is healthy`,
      deadlineMs,
      everyMs: 20,
    });
    if (program?.hasEnded !== true) return;
    throw new Error(`${program.name} ${program.howItEnded()}:\n${program.lastLines().join("\n")}`);
  }

  /** @throws Error when the node does not respond in time: half a second, since many ask a node that is paused */
  async status(): Promise<NodeStatus> {
    const { header, leader } = await this.call<StatusMessage>("/v3/maintenance/status", {}, 500);
    const { cluster_id: clusterId, member_id: memberId, revision = "0" } = header;
    return { clusterId, memberId, leaderId: leader ?? "0", revision: Number(revision) };
  }

  /** One call of etcd's JSON gateway. @throws Error with etcd's words when it refuses */
  async call<T>(path: string, body: unknown, timeoutMs = 5_000): Promise<T> {
    const response = await fetch(`${this.url}${path}`, {
      method: "POST",
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${this.plan.name} refuses ${path}: ${response.status} ${text}`);
    return jsonIn(text) as T;
  }

  signal(signal: NodeJS.Signals): void {
    this.#program?.signal(signal);
  }

  /** SIGKILL, also while it is paused. Resolves when the process is gone. */
  async kill(): Promise<void> {
    await this.#program?.kill();
  }

  async removeData(): Promise<void> {
    await rm(this.plan.folder, { recursive: true, force: true });
  }

  async #isHealthy(): Promise<boolean> {
    const response = await fetch(`${this.url}/health`, { signal: AbortSignal.timeout(1_000) });
    return objectIn(await response.text())?.["health"] === "true";
  }
}

interface StatusMessage {
  readonly header: { readonly cluster_id: string; readonly member_id: string; readonly revision?: string };
  readonly leader?: string;
}

/** Where node `index` of a cluster in `folder` keeps its data. */
export function dataFolder(folder: string, index: number): string {
  return join(folder, `n${index + 1}`);
}
