// What `npm run exercise run` sends with your health-state.ts in the stage.

import type { DemoStep } from "../../../scripts/demo.ts";
import { protect } from "../../../scripts/demos/protected-table.ts";

export const steps: readonly DemoStep[] = [
  {
    title: "A request for a cell whose first health check is still under way",
    why: "A cell counts as healthy until probes say otherwise: nobody is refused for want of a first result.",
    run: async (demo) => {
      const cell = demo.cell("tier1");
      demo.act("tier1 takes 4 seconds for each response, health checks included");
      await cell.fault({ fault: "slow", delayMs: 4_000, healthToo: true });
      const health = { intervalMs: 10_000, timeoutMs: 8_000, rise: 2, fall: 3 };
      await protect(demo, "tier1 gets health checks", { tier1: { health } });
      await demo.ask({ key: "acme", expect: { status: 200, routedTo: "tier1" } });
      await cell.fault({ fault: "none" });
    },
  },
];
