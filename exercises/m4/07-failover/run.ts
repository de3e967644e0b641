// What `npm run exercise run` sends with your failover.ts in the stage.

import type { DemoStep } from "../../../scripts/demo.ts";
import { protect } from "../../../scripts/demos/protected-table.ts";
import { ask } from "../../../scripts/http-request.ts";

export const steps: readonly DemoStep[] = [
  {
    title: "A cell dies, and the table names one that may stand in",
    why: "Only placements of the chain stand in: here tier2, and nobody else.",
    run: async (demo) => {
      await protect(demo, "tier2 may stand in for tier1", { tier1: { fallback: ["tier2"] } });
      demo.act("kill cell tier1 (SIGKILL)");
      await demo.cell("tier1").kill();
      const headers = { "x-failover-from": "tier1" };
      await demo.ask({ key: "acme", expect: { status: 200, routedTo: "tier2", headers } });
    },
  },
  {
    title: "The one that may stand in dies too",
    why: "The tenant waits. Nobody else serves it, and a dedicated cell least of all.",
    run: async (demo) => {
      demo.act("kill cell tier2 (SIGKILL)");
      await demo.cell("tier2").kill();
      const response = await ask({ url: `${demo.router.url}/pay`, headers: { "X-Routing-Key": "acme" } });
      const servedBy = String(response.headers["x-cell"] ?? "nobody");
      demo.showResponse(response.status, { "X-Cell": servedBy });
      await demo.cell("tier1").start();
      await demo.cell("tier2").start();
      demo.check(
        servedBy === "nobody"
          ? undefined
          : `${servedBy} served a request that only tier1 and tier2 may serve`,
      );
    },
  },
];
