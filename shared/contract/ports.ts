// Where a router looks for the cells of the contract's routing table.

import { type PlacementName, placementNames } from "../testkit/cluster.ts";

/** The endpoint ports of the contract's routing table. */
export const defaultPorts: Readonly<Record<PlacementName, number>> = {
  visa: 9004,
  tier1: 9001,
  tier2: 9002,
  tier3: 9003,
};

/** Reads `visa=9004,tier1=9001`. @throws RangeError naming the pair that is wrong */
export function parsePorts(text: string): Partial<Record<PlacementName, number>> {
  const ports: Partial<Record<PlacementName, number>> = {};
  for (const pair of text.split(",").filter((each) => each !== "")) {
    const [word, digits = ""] = pair.split("=");
    const name = placementNames.find((each) => each === word);
    if (name === undefined || !/^\d{1,5}$/.test(digits) || Number(digits) > 65_535) {
      throw new RangeError(`Write each port as name=number with ${placementNames.join(", ")}; got "${pair}"`);
    }
    ports[name] = Number(digits);
  }
  return ports;
}
