// What `npm run exercise run` does with your snapshot-receiver.ts in the stage: a control plane of its own sends two tables.

import { readFileSync } from "node:fs";
import type { DemoStep } from "../../../scripts/demo.ts";
import { withScriptedControlPlane } from "../../../scripts/demos/own-router.ts";
import { within } from "../../../shared/testkit/eventually.ts";

export const steps: readonly DemoStep[] = [
  {
    title: "A table that the router runs, and one that it must refuse",
    why: "The first is acknowledged; the second gets a nack with the reasons, and the link stays.",
    run: (demo) =>
      withScriptedControlPlane(demo, async (controlPlane) => {
        const table = JSON.parse(readFileSync(demo.routingFile, "utf8"));
        const link = await within(controlPlane.nextLink(), 10_000, "a link from the router");
        link.sendSnapshot({ epoch: "e1", revision: 1 }, table);
        const first = await within(link.next(), 5_000, "a message about revision 1");
        demo.act(`revision 1, a good table: the router says ${JSON.stringify(first)}`);
        demo.check(first["type"] === "ack" ? undefined : "expected an ack of revision 1");
        link.sendSnapshot({ epoch: "e1", revision: 2 }, { ...table, defaultPlacement: "nowhere" });
        const second = await Promise.race([
          within(link.next(), 5_000, "a message about revision 2"),
          link.closed,
        ]);
        demo.act(`revision 2, a table with a fault: the router says ${JSON.stringify(second)}`);
        demo.check(
          "type" in second && second["type"] === "nack" ? undefined : "expected a nack of revision 2",
        );
      }),
  },
];
