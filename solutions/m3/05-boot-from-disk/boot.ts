// Brings a router to its first table after a start: from its disk, never from the network. Owns the order of the steps;
// what a good snapshot is, the receiver knows, and where the file lies, the last-known-good store.

import type { LastKnownGood } from "../../../stages/m3/src/last-known-good.ts";
import type { SnapshotReceiver } from "../../../stages/m3/src/snapshot-receiver.ts";

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
  const { bootstrap, connect, wallClock, tell } = dependencies;
  const savedAt = await restore(dependencies);
  let from: BootedFrom = "last-known-good";
  if (savedAt === undefined) {
    try {
      await bootstrap();
      from = "bootstrap";
    } catch (error) {
      tell(error instanceof Error ? error.message : String(error));
      from = "nothing";
    }
  }
  const staleForMs = savedAt === undefined ? 0 : Math.max(0, wallClock().getTime() - savedAt.getTime());
  // Not awaited: whether the control plane is there is no condition for serving.
  void connect(staleForMs);
  return from;
}

/** Resolves with the time of the save when the saved snapshot is in use now, and with undefined otherwise. */
async function restore({ lastKnownGood, receiver, tell }: BootDependencies): Promise<Date | undefined> {
  const saved = await lastKnownGood.load();
  if (saved === undefined) return undefined;
  // As if it came over a link: the same checks find a torn or edited file.
  const received = await receiver.receive(saved.message, receiver.openLink());
  if (received.kind === "reply" && received.outcome === "applied") return saved.savedAt;
  tell(received.kind === "reply" ? received.words : received.kind === "fault" ? received.fault : "");
  await lastKnownGood.setAside();
  return undefined;
}
