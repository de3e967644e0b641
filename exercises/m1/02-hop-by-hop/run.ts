// What `npm run exercise run` sends with your hop-by-hop.ts in the stage.

import type { DemoStep } from "../../../scripts/demo.ts";

export const steps: readonly DemoStep[] = [
  {
    title: "Connection names two fields, in mixed case",
    why: "Both are meant for the router only, so the cell sees neither.",
    run: async (demo) => {
      const headers = { Connection: "X-Debug, x-TRACE", "X-Debug": "1", "X-Trace": "2", "X-Kept": "3" };
      const response = await demo.ask({ key: "acme", headers, expect: { status: 200, routedTo: "tier1" } });
      const seen = Object.keys((JSON.parse(response.body) as { headers: object }).headers);
      const leaked = ["x-debug", "x-trace"].filter((name) => seen.includes(name));
      demo.check(leaked.length === 0 ? undefined : `the cell received ${leaked.join(" and ")}`);
      demo.check(seen.includes("x-kept") ? undefined : "the cell did not receive x-kept");
    },
  },
];
