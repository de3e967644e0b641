// Every fault, in the order in which they run: the gentle ones first.

import { controlPlaneKilled } from "./control-plane-faults.ts";
import { leaderKilled, leaderPaused, nodeKilled, quorumLost } from "./node-faults.ts";
import type { Fault } from "./round.ts";
import { compactedWatch, olderBackup, racingWriters, responsesLost } from "./store-faults.ts";

export const allFaults: readonly Fault[] = [
  racingWriters,
  nodeKilled,
  leaderKilled,
  leaderPaused,
  quorumLost,
  olderBackup,
  controlPlaneKilled,
  // The last ones, because they need another world.
  responsesLost,
  compactedWatch,
];
