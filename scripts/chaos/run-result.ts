// What a run is told, and what it finds.

import type { Tally } from "../load/tally.ts";
import type { FaultGroup } from "./faults.ts";
import type { Transcript } from "./hostile-client.ts";
import type { ChaosOptions, Job } from "./options.ts";
import type { Resources } from "./resources.ts";
import type { RouterUnderTest } from "./router.ts";

export interface RunOptions extends Omit<ChaosOptions, "jobs">, Omit<Job, "name"> {
  readonly cleanClients: number;
  /** How long the router may take to come back to where it was: more than its own time limits. */
  readonly recoveryMs: number;
  /** A replay looks at the fault alone. */
  readonly withAftermath: boolean;
  /** Ends a run before its time, once it has come far enough. */
  readonly isEnough?: (soFar: SoFar) => boolean;
  readonly signal: AbortSignal;
}

export type SoFar = Pick<RunResult, "faults" | "connections" | "clean">;

/** A transcript, with what cells did for the connection's requests. */
export type Told = Transcript & { readonly deeds: readonly string[] };

export interface RunResult {
  readonly faults: readonly FaultGroup[];
  /** How the process ended, where it did. */
  readonly death: Death | undefined;
  readonly connections: number;
  readonly byKind: ReadonlyMap<string, number>;
  readonly behaviours: ReadonlyMap<string, number>;
  readonly requestsAtCells: number;
  readonly clean: Tally;
  readonly before: Resources | undefined;
  readonly peak: Resources | undefined;
  readonly after: Resources | undefined;
  readonly stopMs: number | undefined;
  readonly seconds: number;
  /** The connections that acted last, the latest first. */
  readonly latest: readonly Told[];
  /** Those that a fault names, as far as they are remembered. */
  readonly guilty: readonly Told[];
  readonly startedAtMs: number;
}

export interface Death {
  readonly how: string;
  readonly lastLines: readonly string[];
  readonly afterMs: number;
  /** The process lives, and serves nobody. */
  readonly isStall: boolean;
}

export function deathOf(router: RouterUnderTest, afterMs: number): Death | undefined {
  const how = router.howItEnded();
  return how === undefined ? undefined : { how, lastLines: router.lastLines(), afterMs, isStall: false };
}

export function stallOf(router: RouterUnderTest, afterMs: number): Death {
  return { how: "no longer responds", lastLines: router.lastLines(), afterMs, isStall: true };
}
