// The contract of milestone 1: static routing and a safe, streaming proxy. It knows the router by its URL alone, so a later
// stage, or a port to another language, runs the same cases.

import { describe } from "vitest";
import type { ContractTarget } from "../target.ts";
import { describeAccessLog } from "./access-log.ts";
import { describeBackpressure } from "./backpressure.ts";
import { describeConcurrency } from "./concurrency.ts";
import { describeConnections } from "./connections.ts";
import { useContract } from "./contract.ts";
import { describeEndings } from "./endings.ts";
import { describeErrors } from "./errors.ts";
import { describeRequestFraming } from "./framing-requests.ts";
import { describeResponseFraming } from "./framing-responses.ts";
import { describeRequestHeaders } from "./headers.ts";
import { describeInterimResponses } from "./interim.ts";
import { describeLeaving } from "./leaving.ts";
import { describeLogTrouble } from "./log-trouble.ts";
import { describeOrder } from "./order.ts";
import { describePolicies } from "./policies.ts";
import { describeRequests } from "./requests.ts";
import { describeResponseHeaders } from "./response-headers.ts";
import { describeRouting } from "./routing.ts";
import { describeStreaming } from "./streaming.ts";
import { describeTimeLimits } from "./time-limits.ts";
import { describeTunnels } from "./tunnels.ts";
import { describeUnusualRequests } from "./unusual-requests.ts";

export function describeM1Contract(target: ContractTarget): void {
  describe("m1 contract", () => {
    const contract = useContract(target);
    describeRouting(contract);
    describeRequests(contract);
    describeRequestHeaders(contract);
    describeResponseHeaders(contract);
    describePolicies(contract);
    describeRequestFraming(contract);
    describeUnusualRequests(contract);
    describeTunnels(contract);
    describeResponseFraming(contract);
    describeInterimResponses(contract);
    describeStreaming(contract);
    describeBackpressure(contract);
    describeEndings(contract);
    describeLeaving(contract);
    describeErrors(contract);
    describeConnections(contract);
    describeOrder(contract);
    describeConcurrency(contract);
    describeAccessLog(contract);
    describeLogTrouble(contract, target);
    // Last: its cases have been running since the start.
    describeTimeLimits(contract);
  });
}
