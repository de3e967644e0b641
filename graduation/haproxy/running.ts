// HAProxy on a free port in front of the four demo cells, in this process: for the demo and for the tests.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../bench/free-port.ts";
import { type Ask, ask, type ReceivedResponse } from "../../scripts/http-request.ts";
import { type Cell, startCell } from "../../shared/cells/cell.ts";
import { type PlacementName, placementNames } from "../../shared/testkit/cluster.ts";
import { parseRoutingTable, type RoutingTable } from "../../stages/m4/src/routing-table.ts";
import { Engine } from "./engine.ts";

/** Settings of placements, beside kind and URL, and what stands at the top of the table. */
export interface TableSettings {
  readonly placements?: Partial<Record<PlacementName, object>>;
  readonly top?: object;
}

export class Running implements AsyncDisposable {
  readonly cells: ReadonlyMap<PlacementName, Cell>;
  readonly engine: Engine;
  readonly url: string;
  readonly folder: string;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    stack: AsyncDisposableStack,
    parts: Pick<Running, "cells" | "engine" | "url" | "folder">,
  ) {
    this.#stack = stack;
    this.cells = parts.cells;
    this.engine = parts.engine;
    this.url = parts.url;
    this.folder = parts.folder;
  }

  static async start(settings: TableSettings = {}): Promise<Running> {
    await using stack = new AsyncDisposableStack();
    const cells = new Map<PlacementName, Cell>();
    for (const name of placementNames) cells.set(name, stack.use(await startCell({ name })));
    const folder = await mkdtemp(join(tmpdir(), "cell-routing-haproxy-"));
    stack.defer(() => rm(folder, { recursive: true, force: true }));
    const port = await freePort();
    const onLine = () => {};
    const options = { host: "127.0.0.1", port, folder, onLine };
    const engine = stack.use(await Engine.start(tableOver(cells, settings), options));
    return new Running(stack.move(), { cells, engine, url: `http://127.0.0.1:${port}`, folder });
  }

  cell(name: PlacementName): Cell {
    const cell = this.cells.get(name);
    if (cell === undefined) throw new Error(`There is no cell "${name}"`);
    return cell;
  }

  /** One request with this key, on a connection of its own. */
  ask(key: string, path = "/", options: Partial<Ask> = {}): Promise<ReceivedResponse> {
    // Node writes one byte for each character of a field.
    const bytes = Buffer.from(key, "utf8").toString("latin1");
    return ask({ ...options, url: this.url + path, headers: { ...options.headers, "X-Routing-Key": bytes } });
  }

  /** How many requests each cell has seen, health checks not counted. */
  seen(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.cells].map(([name, cell]) => [name, cell.stats().requests]));
  }

  table(settings: TableSettings): RoutingTable {
    return tableOver(this.cells, settings);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** The contract's table over these cells. @throws Error with the faults of a table that is not valid */
function tableOver(
  cells: ReadonlyMap<PlacementName, Cell>,
  { placements = {}, top = {} }: TableSettings,
): RoutingTable {
  const written = placementNames.map((name) => {
    const kind = name === "visa" ? "dedicated" : "tier";
    return [name, { kind, url: cells.get(name)?.url, ...placements[name] }] as const;
  });
  const result = parseRoutingTable({
    version: "1",
    defaultPlacement: "tier3",
    routingTable: { visa: "visa", acme: "tier1", globex: "tier2", initech: "tier3" },
    placements: Object.fromEntries(written),
    ...top,
  });
  if (!result.ok) throw new Error(result.faults.join("\n"));
  return result.table;
}
