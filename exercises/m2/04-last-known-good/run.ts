// What `npm run exercise run` does with your file-source.ts in the stage.

import { writeFileSync } from "node:fs";
import type { DemoStep } from "../../../scripts/demo.ts";
import { cutFile } from "../../../scripts/demos/routing-file.ts";

export const steps: readonly DemoStep[] = [
  {
    title: "Half a file, and then the whole one again",
    why: "The router keeps the table in use, names the fault, and forgets it when the file is good again.",
    run: async (demo) => {
      const whole = cutFile(demo);
      await demo.factBecomes("/debug/config", ["version", "lastError.faults"], {
        "lastError.faults": /not JSON/,
      });
      await demo.ask({ key: "acme", expect: { status: 200, routedTo: "tier1" } });
      demo.act("write the whole file again");
      writeFileSync(demo.routingFile, whole);
      await demo.factBecomes("/debug/config", ["version", "lastError"], { lastError: /^null$/ });
      await demo.ask({ key: "acme", expect: { status: 200, routedTo: "tier1" } });
    },
  },
];
