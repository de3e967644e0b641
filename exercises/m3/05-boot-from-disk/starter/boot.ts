// Brings a router to its first table after a start: from its disk, never from the network. Owns the order of the steps;
// what a good snapshot is, the receiver knows, and where the file lies, the last-known-good store.

import type { LastKnownGood } from "../../../../stages/m3/src/last-known-good.ts";
import type { SnapshotReceiver } from "../../../../stages/m3/src/snapshot-receiver.ts";

export interface BootDependencies {
  /** The message that brought the newest applied snapshot, on disk. It may be missing, torn or edited. */
  readonly lastKnownGood: Pick<LastKnownGood, "load" | "setAside">;
  /** Checks a message, and applies its table if it is good. */
  readonly receiver: Pick<SnapshotReceiver, "openLink" | "receive">;
  /** Applies the table of the bootstrap file. Rejects when there is none, or it is invalid. */
  readonly bootstrap: () => Promise<void>;
  /**
   * Begins the link to the control plane; its `hello` names what the receiver holds by then. Resolves when the router
   * is up to date, which may be never. Never rejects.
   *
   * @param staleForMs How long the table that the router starts with may be out of date, in milliseconds.
   */
  readonly connect: (staleForMs: number) => Promise<void>;
  readonly wallClock: () => Date;
  /** For the log: why something on this machine could not be used. */
  readonly tell: (cause: string) => void;
}

export type BootedFrom = "last-known-good" | "bootstrap" | "nothing";

/**
 * Brings in the best table that this machine has, and begins the link. Waits for the disk, never for the network, and
 * rejects for nothing that it finds on the disk: without a table the router answers 503 until the link brings one.
 *
 * @returns Where the table comes from.
 */
export async function boot(dependencies: BootDependencies): Promise<BootedFrom> {
  const { lastKnownGood, receiver, bootstrap, connect } = dependencies;
  // The control plane has the newest table.
  await connect(0);
  const saved = await lastKnownGood.load();
  if (saved === undefined) {
    await bootstrap();
    return "bootstrap";
  }
  const received = await receiver.receive(saved.message, receiver.openLink());
  if (received.kind !== "reply") throw new Error("Cannot start: the last-known-good snapshot is damaged");
  return "last-known-good";
}
