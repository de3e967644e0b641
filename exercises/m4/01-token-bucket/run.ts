// What `npm run exercise run` sends with your token-bucket.ts in the stage.

import type { DemoStep } from "../../../scripts/demo.ts";
import { protect } from "../../../scripts/demos/protected-table.ts";

export const steps: readonly DemoStep[] = [
  {
    title: "A tenant with a burst of 3 and one request in 10 seconds",
    why: "Three tokens are there, and the next one flows in after 10 seconds: Retry-After says so.",
    run: async (demo) => {
      const keyLimits = { initech: { ratePerSecond: 0.1, burst: 3 } };
      await protect(demo, "initech may send 0.1 requests per second, in bursts of 3", {}, { keyLimits });
      for (let n = 0; n < 3; n++)
        await demo.ask({ key: "initech", expect: { status: 200, routedTo: "tier3" } });
      await demo.ask({ key: "initech", expect: { status: 429, headers: { "retry-after": /^([4-9]|10)$/ } } });
    },
  },
];
