// What a supervisor and its workers say to each other, over the channel that Node gives them. Types only.

import type { RoutingTable } from "../routing-table.ts";
import type { Share } from "./limit-shares.ts";

export type ToWorker =
  /** The table to route by, where it is another one, and this worker's share of its limits. `applied` is the response. */
  | { readonly type: "table"; readonly table: RoutingTable | undefined; readonly share: Share }
  /** Placements that do not pass their health checks: all of them, each time. */
  | { readonly type: "unhealthy"; readonly placements: readonly string[] }
  /** Listen: everything that was needed has been said. */
  | { readonly type: "listen"; readonly port: number; readonly slot: number }
  /** Do you live? `alive` is the response. */
  | { readonly type: "beat" }
  | { readonly type: "metrics"; readonly id: number }
  /** Another worker serves in this one's place: finish, and end. */
  | { readonly type: "retire" };

export type FromWorker =
  | { readonly type: "listening" }
  | { readonly type: "failed"; readonly code: string; readonly message: string }
  | { readonly type: "applied" }
  | { readonly type: "alive" }
  | { readonly type: "breaker"; readonly placement: string; readonly to: string; readonly from: string }
  | { readonly type: "metrics"; readonly id: number; readonly json: MetricJson[] }
  /** What this worker has counted in its life; the last that it says. */
  | { readonly type: "final-metrics"; readonly json: MetricJson[] };

/** One metric as prom-client writes it. */
export interface MetricJson {
  readonly name: string;
  readonly type: unknown;
}
