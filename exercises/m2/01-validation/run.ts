// What `npm run exercise run` does with your routing-table.ts in the stage.

import type { DemoStep } from "../../../scripts/demo.ts";
import { editFile } from "../../../scripts/demos/routing-file.ts";

export const steps: readonly DemoStep[] = [
  {
    title: "A file with a fault of form and a fault of reference",
    why: "Both are named at once, each at its place, and the table in use stays in use.",
    run: async (demo) => {
      editFile(demo, "tier1's URL is not a URL, and acme goes to tier9, which does not exist", (file) => {
        file.version = "1.1.0";
        file.routingTable["acme"] = "tier9";
        Object.assign(file.placements["tier1"] ?? {}, { url: "not a url" });
      });
      await demo.factBecomes("/debug/config", ["lastError.faults"], {
        "lastError.faults":
          /routingTable\.acme[\s\S]*placements\.tier1\.url|placements\.tier1\.url[\s\S]*routingTable\.acme/,
      });
      await demo.ask({ key: "acme", expect: { status: 200, routedTo: "tier1" } });
    },
  },
];
