// Envoy with an exported table in front of four demo cells, on free ports: for the tests and the demo.

import { type Ask, ask, type ReceivedResponse } from "../../scripts/http-request.ts";
import { type Cell, startCell } from "../../shared/cells/cell.ts";
import { type PlacementName, placementNames } from "../../shared/testkit/cluster.ts";
import { parseRoutingTable, type RoutingDocument } from "../../stages/m4/src/routing-table.ts";
import { Envoy } from "./envoy.ts";
import { envoyConfig } from "./envoy-config.ts";

/** Settings of m4 for each placement, and for the table. */
export interface LabSettings {
  readonly placements?: Partial<
    Record<PlacementName, Omit<RoutingDocument["placements"][string], "kind" | "url">>
  >;
  readonly table?: Pick<RoutingDocument, "keyLimits" | "unlistedKeysLimit" | "retryBudget">;
}

export class EnvoyLab implements AsyncDisposable {
  readonly url: string;
  readonly envoy: Envoy;
  readonly #cells: ReadonlyMap<PlacementName, Cell>;

  private constructor(envoy: Envoy, cells: ReadonlyMap<PlacementName, Cell>) {
    this.url = envoy.url;
    this.envoy = envoy;
    this.#cells = cells;
  }

  static async start({ placements = {}, table: atTop = {} }: LabSettings = {}): Promise<EnvoyLab> {
    const cells = new Map<PlacementName, Cell>();
    for (const name of placementNames) cells.set(name, await startCell({ name }));
    const document: RoutingDocument = {
      version: "1.0.0",
      defaultPlacement: "tier3",
      routingTable: { visa: "visa", acme: "tier1", globex: "tier2", initech: "tier3" },
      placements: Object.fromEntries(
        [...cells].map(([name, { url }]) => {
          const kind = name === "visa" ? "dedicated" : "tier";
          return [name, { kind, url, ...placements[name] }];
        }),
      ),
      ...atTop,
    };
    const parsed = parseRoutingTable(document);
    if (!parsed.ok) throw new Error(parsed.faults.join("\n"));
    try {
      const envoy = await Envoy.start(envoyConfig(parsed.table, { port: 0, adminPort: 0 }));
      return new EnvoyLab(envoy, cells);
    } catch (error) {
      await Promise.all([...cells.values()].map((cell) => cell.close()));
      throw error;
    }
  }

  cell(name: PlacementName): Cell {
    const cell = this.#cells.get(name);
    if (cell === undefined) throw new Error(`no cell ${name}`);
    return cell;
  }

  ask(key: string, path = "/", options: Omit<Ask, "url"> = {}): Promise<ReceivedResponse> {
    const headers = { ...options.headers, "X-Routing-Key": key };
    return ask({ ...options, url: `${this.url}${path}`, headers });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.envoy[Symbol.asyncDispose]();
    await Promise.all([...this.#cells.values()].map((cell) => cell.close()));
  }
}
