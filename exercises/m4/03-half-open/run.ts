// What `npm run exercise run` sends with your circuit-breaker.ts in the stage.

import { setTimeout as delay } from "node:timers/promises";
import type { DemoStep } from "../../../scripts/demo.ts";
import { protect } from "../../../scripts/demos/protected-table.ts";
import { ask } from "../../../scripts/http-request.ts";

const waitMs = 500;

export const steps: readonly DemoStep[] = [
  {
    title: "Ten requests at once, when an open circuit may try again",
    why: "Half-open lets exactly one probe through; the others are told at once.",
    run: async (demo) => {
      const circuitBreaker = { consecutiveFailures: 1, waitMs, maxWaitMs: waitMs, halfOpenProbes: 1 };
      await protect(demo, "tier1's circuit opens after 1 failure, for half a second", {
        tier1: { circuitBreaker },
      });
      const cell = demo.cell("tier1");
      demo.act("tier1 answers with 503");
      await cell.fault({ fault: "error", status: 503, healthToo: false });
      await demo.ask({ key: "acme", expect: { status: 503 } });
      demo.act("tier1 works again, but takes 3 seconds; ten clients ask after half a second");
      await cell.fault({ fault: "slow", delayMs: 3_000 });
      await delay(waitMs + 200);
      const before = await cell.requests();
      const headers = { "X-Routing-Key": "acme" };
      const url = `${demo.router.url}/pay`;
      await Promise.all(Array.from({ length: 10 }, () => ask({ url, headers })));
      const probes = (await cell.requests()) - before;
      demo.act(`the cell saw ${probes} of 10 requests`);
      demo.check(probes === 1 ? undefined : `expected one probe, not ${probes}`);
    },
  },
];
