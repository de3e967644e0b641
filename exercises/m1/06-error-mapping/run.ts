// What `npm run exercise run` sends with your errors.ts in the stage.

import type { DemoStep } from "../../../scripts/demo.ts";

export const steps: readonly DemoStep[] = [
  {
    title: "A cell that nobody listens for",
    why: "The body is a problem (RFC 9457), and its code says that the cell could not be reached.",
    run: async (demo) => {
      demo.act("kill cell tier1 (SIGKILL)");
      await demo.cell("tier1").kill();
      const body = /"code":"upstream-unreachable"/;
      try {
        await demo.ask({ key: "acme", expect: { status: 502, body } });
      } finally {
        await demo.cell("tier1").start();
      }
    },
  },
  {
    title: "A cell that breaks the connection instead of responding",
    why: "Whatever else happens between the router and a cell is upstream-broken, and never the router's own 500.",
    run: async (demo) => {
      demo.act("tier2 resets each connection");
      await demo.cell("tier2").fault({ fault: "reset" });
      try {
        await demo.ask({ key: "globex", expect: { status: 502, body: /"code":"upstream-broken"/ } });
      } finally {
        await demo.cell("tier2").fault({ fault: "none" });
      }
    },
  },
];
