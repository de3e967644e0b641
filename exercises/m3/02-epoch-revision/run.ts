// What `npm run exercise run` does with your protocol.ts in the stage: a control plane of its own loses its history.

import { readFileSync } from "node:fs";
import type { DemoStep } from "../../../scripts/demo.ts";
import { withScriptedControlPlane } from "../../../scripts/demos/own-router.ts";
import { within } from "../../../shared/testkit/eventually.ts";

export const steps: readonly DemoStep[] = [
  {
    title: "A control plane that was restored begins again with revision 1",
    why: "Revisions count within their epoch only: the table of the new epoch is taken.",
    run: (demo) =>
      withScriptedControlPlane(demo, async (controlPlane) => {
        const table = JSON.parse(readFileSync(demo.routingFile, "utf8"));
        const link = await within(controlPlane.nextLink(), 10_000, "a link from the router");
        await link.push({ epoch: "before", revision: 7 }, table);
        link.sendSnapshot({ epoch: "after", revision: 1 }, { ...table, version: "restored" });
        const reply = await within(link.next(), 5_000, "a message about the new epoch");
        demo.act(
          `it ran before.7 and was sent after.1: the router says it runs ${reply["epoch"]}.${reply["revision"]}`,
        );
        demo.check(reply["epoch"] === "after" ? undefined : "expected it to run after.1");
      }),
  },
];
