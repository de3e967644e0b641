// The contract of milestone 2: the routing table follows a file, and whatever happens to the file, no request notices.
// It knows the router by its two ports and its file, so a later stage, or a port to another language, runs the same cases.

import { describe } from "vitest";
import { describeAdminPort } from "./admin-port.ts";
import { useReloadContract } from "./contract.ts";
import { describeDraining } from "./draining.ts";
import { describeFaults } from "./faults.ts";
import { describeFileChanges } from "./file-changes.ts";
import { describeFileLayouts } from "./file-layouts.ts";
import { describeRouting } from "./routing.ts";
import { describeStartUp } from "./start-up.ts";
import type { ReloadTarget } from "./target.ts";
import { describeUnderLoad } from "./under-load.ts";

export function describeM2Contract(target: ReloadTarget): void {
  describe("m2 contract", () => {
    const contract = useReloadContract(target);
    describeRouting(contract);
    describeFileChanges(contract);
    describeFileLayouts(contract);
    describeFaults(contract);
    describeDraining(contract);
    describeUnderLoad(contract);
    describeAdminPort(contract);
    describeStartUp(target);
  });
}
