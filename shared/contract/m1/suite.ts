// The contract of milestone 1: static routing and a safe, streaming proxy. It knows the router by its URL alone, so a later
// stage, or a port to another language, runs the same cases.

import { describe } from "vitest";
import type { ContractTarget } from "../target.ts";
import { useContract } from "./contract.ts";
import { describeRequestFraming } from "./framing-requests.ts";
import { describeRequestHeaders } from "./headers.ts";
import { describeRequests } from "./requests.ts";
import { describeResponseHeaders } from "./response-headers.ts";
import { describeRouting } from "./routing.ts";

export function describeM1Contract(target: ContractTarget): void {
  describe("m1 contract", () => {
    const contract = useContract(target);
    describeRouting(contract);
    describeRequests(contract);
    describeRequestHeaders(contract);
    describeResponseHeaders(contract);
    describeRequestFraming(contract);
  });
}
