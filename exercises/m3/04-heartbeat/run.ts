// What `npm run exercise run` does with your link-liveness.ts in the stage.

import type { DemoStep } from "../../../scripts/demo.ts";

export const steps: readonly DemoStep[] = [
  {
    title: "The control plane stands still without closing anything (10 to 20 s)",
    why: "No answer to its pings for long enough means that nobody is there, whatever the connection says.",
    run: async (demo) => {
      await demo.factBecomes("/debug/config", ["connected"], { connected: /^true$/ });
      demo.act("stop the control plane's process in its tracks (SIGSTOP)");
      demo.controlPlane.signal("SIGSTOP");
      try {
        await demo.factBecomes("/debug/config", ["connected"], { connected: /^false$/ }, demo.router, 20_000);
        await demo.ask({ key: "acme", expect: { status: 200, routedTo: "tier1" } });
      } finally {
        demo.controlPlane.signal("SIGCONT");
      }
    },
  },
];
