// What `npm run exercise run` sends with your circuit-breaker.ts in the stage.

import type { DemoStep } from "../../../scripts/demo.ts";
import { protect } from "../../../scripts/demos/protected-table.ts";

export const steps: readonly DemoStep[] = [
  {
    title: "One failure, then five in a row",
    why: "One failure proves nothing; five in a row open the circuit, and the cell is left alone.",
    run: async (demo) => {
      const circuitBreaker = { consecutiveFailures: 5, minimumRequests: 20, waitMs: 60_000 };
      await protect(demo, "tier1's circuit opens after 5 failures in a row", { tier1: { circuitBreaker } });
      const cell = demo.cell("tier1");
      demo.act("tier1 answers with 503");
      await cell.fault({ fault: "error", status: 503, healthToo: false });
      await demo.ask({ key: "acme", expect: { status: 503 } });
      demo.act("tier1 works again, once");
      await cell.fault({ fault: "none" });
      await demo.ask({ key: "acme", expect: { status: 200, routedTo: "tier1" } });
      await cell.fault({ fault: "error", status: 503, healthToo: false });
      const before = await cell.requests();
      for (let n = 0; n < 7; n++) await demo.ask({ key: "acme", expect: { status: 503 } });
      const seen = (await cell.requests()) - before;
      demo.act(`of 7 requests, the cell saw ${seen}`);
      demo.check(seen === 5 ? undefined : `expected the cell to see 5 of them, not ${seen}`);
    },
  },
];
