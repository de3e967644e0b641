// Four cells and a router of one stage on free ports, and the words in which a scenario is told:
//
//   await using cluster = await startCluster({ stage: "m4" });
//   await cluster.stop("tier1");
//   await cluster.expectServedBy("acme", "tier3");

import { type Cell, startCell } from "../cells/cell.ts";
import type { FaultRequest } from "../cells/faults.ts";
import { eventually } from "./eventually.ts";
import type { RawResponse } from "./http-message.ts";
import { sendRaw } from "./raw-client.ts";
import { type RouterOptions, type RouterProcess, startRouter } from "./router-process.ts";

export const placementNames = ["visa", "tier1", "tier2", "tier3"] as const;
export type PlacementName = (typeof placementNames)[number];

export interface RequestOptions {
  /** @default "GET" */
  readonly method?: string;
  /** @default "/" */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface ClusterOptions extends Omit<RouterOptions, "endpoints"> {
  /** More cells than the contract's four: reachable at `cluster.cell(name).url`. */
  readonly extraCells?: readonly string[];
  /** Builds the routing table from the cells' URLs, for the stages from m2 on. */
  readonly routingFrom?: (urls: Readonly<Record<string, string>>) => unknown;
}

export class Cluster implements AsyncDisposable {
  readonly router: RouterProcess;
  readonly #cells: Map<string, Cell>;

  constructor(router: RouterProcess, cells: Map<string, Cell>) {
    this.router = router;
    this.#cells = cells;
  }

  get url(): string {
    return this.router.url;
  }

  cell(name: string): Cell {
    const cell = this.#cells.get(name);
    if (cell === undefined)
      throw new Error(`No cell "${name}" here; there are ${[...this.#cells.keys()].join(", ")}`);
    return cell;
  }

  /** Stops a cell at once: its connections are cut and its port refuses. */
  stop(name: string): Promise<void> {
    return this.cell(name).close();
  }

  /** Starts a stopped cell again, on the port that it had. */
  async restart(name: string): Promise<void> {
    const { port } = this.cell(name);
    await this.stop(name);
    this.#cells.set(name, await startCell({ name, port }));
  }

  /** Switches a fault on in a cell, or off with `{ fault: "none" }`. */
  fault(name: string, fault: FaultRequest): void {
    this.cell(name).setFault(fault);
  }

  /** One request through the router, on a connection of its own. */
  request(key: string, options: RequestOptions = {}): Promise<RawResponse> {
    const method = options.method ?? "GET";
    const body = Buffer.from(options.body ?? "");
    const fields = Object.entries(options.headers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`);
    const length = body.length > 0 || method === "POST" ? `Content-Length: ${body.length}\r\n` : "";
    const head =
      `${method} ${options.path ?? "/"} HTTP/1.1\r\nHost: ${new URL(this.url).host}\r\n` +
      `X-Routing-Key: ${key}\r\n${fields.join("")}${length}Connection: close\r\n\r\n`;
    return sendRaw(this.url, Buffer.concat([Buffer.from(head, "latin1"), body]), { method });
  }

  /** @throws Error saying who served instead */
  async expectServedBy(key: string, placement: string, options: RequestOptions = {}): Promise<RawResponse> {
    const response = await this.request(key, options);
    const servedBy = response.headers.one("x-routed-to");
    const cell = response.headers.one("x-cell");
    if (servedBy !== placement || response.status !== 200 || (cell !== undefined && cell !== placement)) {
      throw new Error(
        `Expected "${key}" to be served by ${placement}; got ${response.status}, X-Routed-To ${servedBy}, cell ${cell}: ${response.text().slice(0, 300)}`,
      );
    }
    return response;
  }

  /** Asks again until `placement` serves: for what takes effect soon, but not at once. */
  eventuallyServedBy(key: string, placement: string, deadlineMs = 5000): Promise<RawResponse> {
    return eventually(() => this.expectServedBy(key, placement), {
      what: `"${key}" is served by ${placement}`,
      deadlineMs,
      everyMs: 20,
    });
  }

  /** @throws Error saying what came instead */
  async expectStatus(key: string, status: number, options: RequestOptions = {}): Promise<RawResponse> {
    const response = await this.request(key, options);
    if (response.status !== status) {
      throw new Error(
        `Expected ${status} for "${key}"; got ${response.status}: ${response.text().slice(0, 300)}`,
      );
    }
    return response;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([
      this.router[Symbol.asyncDispose](),
      ...[...this.#cells.values()].map((cell) => cell.close()),
    ]);
  }
}

/** Starts the contract's four cells, and a router of `stage` that knows them. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const cells = new Map<string, Cell>();
  const { extraCells = [], routingFrom, ...router } = options;
  try {
    for (const name of [...placementNames, ...extraCells]) cells.set(name, await startCell({ name }));
    const endpoints = Object.fromEntries([...cells].map(([name, cell]) => [name, cell.url]));
    const routing = routingFrom === undefined ? {} : { routing: routingFrom(endpoints) };
    return new Cluster(await startRouter({ ...router, ...routing, endpoints }), cells);
  } catch (error) {
    await Promise.all([...cells.values()].map((cell) => cell.close()));
    throw error;
  }
}
