// What `npm run exercise run` does with your two files. The stage takes your table-store.ts; your serve-request.ts answers
// on a port of its own, over the same cells.

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { DemoContext, DemoStep } from "../../../scripts/demo.ts";
import { ask } from "../../../scripts/http-request.ts";
import type { Placement, RoutingTable } from "../../../stages/m2/src/routing-table.ts";
import { serveRequest } from "./starter/serve-request.ts";
import { TableStore } from "./starter/table-store.ts";

export const steps: readonly DemoStep[] = [
  {
    title: "The table changes while a request is under way",
    why: "A request takes one snapshot: it goes to tier1 by the first table, and says so, with that table's number.",
    run: async (demo) => {
      const store = new TableStore();
      store.swap(tableWith(demo, "tier1", "1.0.0"));
      const server = createServer(async (_req, res) => {
        const served = await serveRequest(store, "acme", async (placement) => {
          const response = await ask({ url: `${placement.url}/pay` });
          // While the cell was working, somebody moved acme.
          store.swap(tableWith(demo, "tier2", "2.0.0"));
          return (JSON.parse(response.body) as { cell: string }).cell;
        }).catch(() => undefined);
        res.end(JSON.stringify(served ?? null));
      });
      await once(server.listen(0, "127.0.0.1"), "listening");
      try {
        demo.act("acme moves from tier1 to tier2 while tier1 responds to it");
        const { port } = server.address() as AddressInfo;
        const { body } = await ask({ url: `http://127.0.0.1:${port}/` });
        const served = JSON.parse(body) as Record<string, unknown> | null;
        demo.act(`the response: ${body}`);
        const isTrue =
          served?.["routedTo"] === "tier1" && served["version"] === "1.0.0" && served["sequence"] === 1;
        demo.check(isTrue ? undefined : "tier1 served it by table 1.0.0, and the response says otherwise");
      } finally {
        server.close();
      }
    },
  },
];

function tableWith(demo: DemoContext, cell: string, version: string): RoutingTable {
  const tier = (name: string): Placement => ({ name, kind: "tier", url: demo.cell(name).url }) as Placement;
  const placements = new Map(["tier1", "tier2", "tier3"].map((name) => [name, tier(name)]));
  return {
    version,
    defaultPlacement: tier("tier3"),
    placements,
    placementByKey: new Map([["acme", tier(cell)]]),
  };
}
