// `--ports`, of the commands that are given a router which runs already.

import { defaultPorts, parsePorts } from "../../shared/contract/ports.ts";
import type { PlacementName } from "../../shared/testkit/cluster.ts";
import { UsageError } from "../command-line.ts";

/** The contract's ports, but for those that `--ports` names. @throws UsageError */
export function readPorts(text = ""): Readonly<Record<PlacementName, number>> {
  try {
    return { ...defaultPorts, ...parsePorts(text) };
  } catch (error) {
    throw new UsageError(`--ports: ${error instanceof Error ? error.message : String(error)}`);
  }
}
