// What any load generator hands back about one round.

export type LoadResult = {
  /** Requests that were answered. */
  readonly requests: number;
  readonly seconds: number;
  /** Connect, read, write and time-out errors and responses outside 2xx, counted together. One is enough to void the round. */
  readonly errors: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Open loop only: 99th percentile of how late the pacer itself sent, in milliseconds. */
  readonly pacerLagP99Ms?: number;
};
