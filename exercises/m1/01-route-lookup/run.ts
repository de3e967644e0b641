// What `npm run exercise run` sends with your route.ts in the stage.

import type { DemoStep } from "../../../scripts/demo.ts";

export const steps: readonly DemoStep[] = [
  {
    title: "A tenant that no table lists is called constructor",
    why: "Every name that is not listed goes to the default placement, tier3.",
    run: async (demo) => {
      for (const key of ["constructor", "toString"])
        await demo.ask({ key, expect: { status: 200, routedTo: "tier3", reason: "default" } });
    },
  },
  {
    title: "Listed tenants go where they always went",
    why: "The look-up of ordinary keys has not changed.",
    run: async (demo) => {
      await demo.ask({ key: "acme", expect: { status: 200, routedTo: "tier1", reason: "tier" } });
    },
  },
];
