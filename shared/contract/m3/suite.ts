// The contract of milestone 3: a control plane pushes the table, and nothing that happens to it is felt by a request. It
// knows the router by its two ports and the control plane by its API and files; where a case needs a control plane that
// misbehaves, the suite plays one.

import { describe } from "vitest";
import { describeApi } from "./api.ts";
import { describeApiAccess } from "./api-access.ts";
import { usePushContract } from "./contract.ts";
import { describeFlood } from "./flood.ts";
import { describeHalfOpen } from "./half-open.ts";
import { describeHistory } from "./history.ts";
import { describeHostileClients, describeSlowClients } from "./hostile-clients.ts";
import { describeLinks } from "./links.ts";
import { describeOutages } from "./outages.ts";
import { describeOwnership } from "./ownership.ts";
import { describePushing } from "./pushing.ts";
import { describeRubbish } from "./rubbish.ts";
import { describeStartUp } from "./start-up.ts";
import type { PushTarget } from "./target.ts";

const isQuick = process.env["QUICK_CONTRACT"] === "1";

export function describeM3Contract(target: PushTarget): void {
  // Far more than a case takes: after a long outage on a busy machine, a router may wait for half a minute by itself.
  describe("m3 contract", { timeout: 180_000 }, () => {
    const contract = usePushContract(target);
    describePushing(contract);
    describeOutages(contract);
    describeHistory(contract);
    describeRubbish(contract);
    describeStartUp(contract);
    describeApi(contract);
    describeApiAccess(contract);
    describeLinks(contract);
    describeOwnership(contract);
    // A minute of load and of waiting: `npm test` leaves it to `npm run verify`.
    describe.skipIf(isQuick)("under attack", () => {
      describeHostileClients(contract);
      describeFlood(contract);
      // They mostly wait.
      describe("time limits", { concurrent: true }, () => {
        const waiting = usePushContract(target, { concurrent: true });
        describeHalfOpen(waiting);
        describeSlowClients(waiting);
      });
    });
  });
}
