// Where the store's table stands in history, and when that history is broken. Pure: the store and a test's simulated
// control plane follow the same rules.

import type { Position } from "../protocol.ts";

/** The position of the current table, and the epochs that are known to lie behind it. */
export interface History extends Position {
  readonly formerEpochs: readonly string[];
}

/** How many epochs are remembered as past. A router that comes from an older one causes a new epoch, and no harm. */
const maxFormerEpochs = 64;

// #region history
/**
 * The position of the content that a store finds when it starts: the same content keeps its revision, other content is
 * the next one. Where nothing is `known`, any revision number may have been given out before: a new epoch begins.
 */
export function resumedHistory(
  known: History | undefined,
  checksum: string,
  newEpoch: () => string,
): History {
  if (known === undefined) return { epoch: newEpoch(), revision: 1, checksum, formerEpochs: [] };
  return known.checksum === checksum ? known : nextRevision(known, checksum, newEpoch);
}

export function nextRevision(history: History, checksum: string, newEpoch: () => string): History {
  // From here on, two numbers in a row may be equal: JavaScript counts in doubles.
  if (history.revision >= Number.MAX_SAFE_INTEGER)
    return afterLoss({ ...history, checksum }, history, newEpoch);
  return { ...history, revision: history.revision + 1, checksum };
}

/**
 * Whether what a router has proves that the store lost a part of its history, such as after a restore from a backup.
 * A store cannot see that by itself when all of it is old, but the routers remember. Its next revisions would be
 * ignored as old, or taken for what they are not.
 */
export function isLostHistory(history: History, have: Position): boolean {
  if (have.epoch !== history.epoch) return !history.formerEpochs.includes(have.epoch);
  if (have.revision !== history.revision) return have.revision > history.revision;
  return have.checksum !== history.checksum;
}

/** The way out: a new epoch for the same content, which every router takes whatever it has. */
export function afterLoss(history: History, have: Position, newEpoch: () => string): History {
  const formerEpochs = [...new Set([...history.formerEpochs, history.epoch, have.epoch])];
  const { checksum } = history;
  return { epoch: newEpoch(), revision: 1, checksum, formerEpochs: formerEpochs.slice(-maxFormerEpochs) };
}
// #endregion history
