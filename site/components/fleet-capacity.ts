// What a fleet costs its control plane and each router, as arithmetic. The numbers come from the fleet bench on one machine with two
// cores, where 1,000 routers' ends shared those cores with the control plane; `fleet-capacity.test.ts` holds them to the saved results.

export interface Fleet {
  readonly routers: number;
  readonly keys: number;
  /** Changes of one key, each pushed on its own. */
  readonly pushesPerSecond: number;
  /** Of one key and its placement in the table. */
  readonly bytesPerEntry: number;
}

/** `whole`: every push is the table, as in m3. `delta`: every push is the difference, as in m5. */
export type Push = "whole" | "delta";

export interface Capacity {
  /** One message to one router. */
  readonly messageBytes: number;
  /** One push, to all routers. */
  readonly pushBytes: number;
  readonly bytesPerSecond: number;
  /** From the write until the last router has acknowledged it. */
  readonly lastAckMs: number;
  /** Of one core of the control plane; above 1, it falls behind. */
  readonly controlPlaneCores: number;
  readonly controlPlaneMiB: number;
  /** Of one router that only has this table. */
  readonly routerMiB: number;
  /** The same while it takes the next table. */
  readonly routerPeakMiB: number;
  /** A router takes no larger message unless `MAX_MESSAGE_BYTES` allows it. */
  readonly isTooLarge: boolean;
}

/** The default of `MAX_MESSAGE_BYTES`, in m3 and later. */
export const maxMessageBytes = 16 * 1024 * 1024;

/** What was measured; beyond it the arithmetic is a guess. */
export const measuredUpTo = { routers: 3000, keys: 100_000 } as const;

const [kB, mB, miB] = [1e3, 1e6, 1024 * 1024];

/** The table without keys, and what a message adds to it. */
const emptyTableBytes = 650;
const emptyDeltaBytes = 265;

export function capacityOf(fleet: Fleet, push: Push): Capacity {
  const { routers, keys, pushesPerSecond, bytesPerEntry } = fleet;
  const messageBytes =
    push === "whole" ? emptyTableBytes + keys * bytesPerEntry : emptyDeltaBytes + bytesPerEntry;
  const pushBytes = routers * messageBytes;
  // Sending, at what one machine moved; and reading and checking the table once at each end, which a delta does not save.
  const lastAckMs = 15 + routers * 0.05 + keys * 0.032 + pushBytes / (700 * kB);
  const cpuMs = 5 + routers * 0.07 + keys * 0.0087 + (pushBytes / mB) * 0.4;
  return {
    messageBytes,
    pushBytes,
    bytesPerSecond: pushBytes * pushesPerSecond,
    lastAckMs,
    controlPlaneCores: (cpuMs / 1000) * pushesPerSecond,
    controlPlaneMiB: 125 + routers * 0.055 + (keys * 2400) / miB,
    routerMiB: 122 + (keys * 840) / miB,
    routerPeakMiB: 122 + (keys * 1470) / miB,
    isTooLarge: push === "whole" && messageBytes > maxMessageBytes,
  };
}
