// Everything that a fault needs, on 127.0.0.1: an etcd cluster, control planes on it, routers that know all of them, and two
// cells. Starts and stops processes and says what they show; what is right is for `round.ts` to say.

import { freePorts } from "../../../bench/free-port.ts";
import { type Cell, startCell } from "../../../shared/cells/cell.ts";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { objectIn } from "../../../shared/testkit/json-text.ts";
import { type RouterProcess, startRouter } from "../../../shared/testkit/router-process.ts";
import { endingWithParent } from "../../end-with-parent.ts";
import { type EtcdCluster, startEtcd } from "../cluster.ts";
import { type ControlPlaneOptions, EtcdControlPlane } from "../etcd-control-plane.ts";
import type { ControlPlaneAddress } from "../linearizability/recorder.ts";
import type { EtcdGate } from "./etcd-gate.ts";
import type { EtcdProxy } from "./etcd-proxy.ts";

export const token = "a-token-for-the-faults";

export interface WorldOptions {
  /** @default 2 */
  readonly routers?: number;
  /** Puts a proxy between the control planes and each node of etcd. @default none: a real network refuses otherwise */
  readonly between?: (nodeUrl: string) => Promise<EtcdProxy>;
  /** A gate is such a proxy, which the world's faults can use. */
  readonly gate?: EtcdGate;
}

/** What a router runs, from its `/debug/config`. */
export interface RouterView {
  readonly version: string;
  readonly controlPlane: string;
  readonly connected: boolean;
}

export class World implements AsyncDisposable {
  readonly etcd: EtcdCluster;
  readonly controlPlanes: readonly ControlPlane[];
  readonly routers: readonly RouterProcess[];
  /** The table at the start; rounds add keys to it. */
  readonly document: ReturnType<typeof documentOf>;
  readonly gate: EtcdGate | undefined;
  readonly #parts: AsyncDisposableStack;

  /** Use `startWorld`. */
  constructor(
    parts: AsyncDisposableStack,
    made: Pick<World, "etcd" | "controlPlanes" | "routers" | "document" | "gate">,
  ) {
    this.#parts = parts;
    this.etcd = made.etcd;
    this.controlPlanes = made.controlPlanes;
    this.routers = made.routers;
    this.document = made.document;
    this.gate = made.gate;
  }

  /** Those that run. */
  get running(): readonly ControlPlane[] {
    return this.controlPlanes.filter((each) => each.isRunning);
  }

  async routerViews(): Promise<RouterView[]> {
    return await Promise.all(
      this.routers.map(async (router) => {
        const shown = await read(`${String(router.ready["adminUrl"])}/debug/config`);
        const version = `"${String(shown["epoch"])}.${String(shown["revision"])}"`;
        return {
          version,
          controlPlane: String(shown["controlPlane"]),
          connected: shown["connected"] === true,
        };
      }),
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#parts.disposeAsync();
  }
}

/** Starts all of it, and resolves when every router runs the table that etcd holds. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  await using parts = new AsyncDisposableStack();
  const etcd = parts.use(await startEtcd());
  const endpoints: string[] = [];
  for (const url of etcd.endpoints) {
    const proxy = await (options.gate?.standBefore(url) ?? options.between?.(url));
    if (proxy !== undefined) parts.use(proxy);
    endpoints.push(proxy?.url ?? url);
  }
  const tier1 = parts.use(await startCell({ name: "tier1" }));
  const tier3 = parts.use(await startCell({ name: "tier3" }));
  const document = documentOf(tier1, tier3);
  const ports = await freePorts(2);
  const controlPlanes = ports.map((port, index) => {
    const name = String.fromCharCode(97 + index);
    return parts.use(new ControlPlane(name, port, { endpoints, routing: document }));
  });
  await allStarted(controlPlanes.map((each) => each.start()));
  const env = {
    CONTROL_PLANE_URL: controlPlanes.map(({ url }) => url).join(","),
    CONTROL_PLANE_TOKEN: token,
  };
  const launcher = endingWithParent([], "KILL");
  const routers = await allStarted(
    Array.from({ length: options.routers ?? 2 }, async () =>
      parts.use(await startRouter({ stage: "m4", routing: document, env, launcher })),
    ),
  );
  return new World(parts.move(), { etcd, controlPlanes, routers, document, gate: options.gate });
}

/** Waits for all of them, also when one fails: what has started is to be ended. */
async function allStarted<T>(starting: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(starting);
  return await Promise.all(starting);
}

function documentOf(tier1: Cell, tier3: Cell) {
  return {
    version: "1.0.0",
    defaultPlacement: "tier3",
    routingTable: { acme: "tier1" },
    placements: { tier1: { kind: "tier", url: tier1.url }, tier3: { kind: "tier", url: tier3.url } },
  };
}

/** A control plane that comes back at the same address. */
export class ControlPlane implements AsyncDisposable, ControlPlaneAddress {
  readonly name: string;
  readonly url: string;
  readonly #options: ControlPlaneOptions;
  readonly #events: string[] = [];
  #running: EtcdControlPlane | undefined;

  constructor(name: string, port: number, options: Pick<ControlPlaneOptions, "endpoints" | "routing">) {
    this.name = name;
    this.url = `http://127.0.0.1:${port}`;
    const onLine = (line: string): void => void this.#events.push(line);
    this.#options = { ...options, name: `control plane ${name}`, port, token, onLine };
  }

  get isRunning(): boolean {
    return this.#running?.program.hasEnded === false;
  }

  /** Lines that it has logged, over all its lives. */
  get log(): readonly string[] {
    return this.#events;
  }

  /** Resolves when it serves. */
  async start(): Promise<void> {
    this.#running = await EtcdControlPlane.start(this.#options);
  }

  pause(): void {
    this.#running?.program.signal("SIGSTOP");
  }

  resume(): void {
    this.#running?.program.signal("SIGCONT");
  }

  async kill(): Promise<void> {
    await this.#running?.[Symbol.asyncDispose]();
  }

  /** Waits for a line with `text` among those logged after the first `since`. */
  async logged(text: string, since: number): Promise<void> {
    const what = `control plane ${this.name} logs ${text}`;
    await eventually(() => this.#events.slice(since).some((line) => line.includes(text)), {
      what,
      deadlineMs: 15_000,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

async function read(url: string): Promise<Readonly<Record<string, unknown>>> {
  const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
  return objectIn(await response.text()) ?? {};
}
