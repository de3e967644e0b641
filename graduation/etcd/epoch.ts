// Which epoch the cluster's table is in, and when a new one has to begin. Pure.
//
// A revision of ours is etcd's mod revision of the table's key. It grows for as long as the cluster keeps its history. A
// cluster that is restored from an older backup gives the same revisions out a second time, so it needs a new epoch; but
// etcd does not tell that it was restored. Its cluster id changes only if its members' URLs or its token have: the id is
// a hash of these. Otherwise, whoever has seen a later revision is the proof: a router, or a control plane that lived on.

import { z } from "zod";
import { checksumOf } from "../../stages/m4/src/checksum.ts";
import { type History, isLostHistory } from "../../stages/m4/src/control-plane/history.ts";
import {
  readDocument,
  type Stored,
  storedOf,
  type ValidDocument,
} from "../../stages/m4/src/control-plane/stored.ts";
import type { Position } from "../../stages/m4/src/protocol.ts";
import type { Entry, KeyRange } from "./etcd-messages.ts";

/** As many as the file store keeps. */
const maxFormerEpochs = 64;

const schema = z.object({
  epoch: z.string().min(1).max(64),
  /** The id of the cluster in which the epoch began. */
  clusterId: z.string(),
  formerEpochs: z.array(z.string()),
});

export type EpochRecord = z.infer<typeof schema>;

/** What the key `table` holds. */
export type Content =
  | {
      readonly kind: "valid";
      readonly value: Buffer;
      readonly checksum: string;
      readonly document: ValidDocument;
    }
  | { readonly kind: "invalid"; readonly value: Buffer; readonly faults: readonly string[] }
  | { readonly kind: "absent" };

/** The keys at one revision of the cluster, understood. */
export interface Seen {
  readonly range: KeyRange;
  readonly epoch: EpochRecord | undefined;
  readonly content: Content;
  /** The table and its position; undefined when there is no valid one, or no epoch yet. */
  readonly stored: Stored | undefined;
}

/** @param known What was understood before: the same bytes are not parsed again. */
export function understand(range: KeyRange, known?: Seen): Seen {
  const table = range.entries.get("table");
  const epoch = epochOf(range.entries.get("epoch"));
  const content = contentOf(table, known?.content);
  if (content.kind !== "valid" || epoch === undefined || table === undefined)
    return { range, epoch, content, stored: undefined };
  const { checksum, document } = content;
  const history = {
    epoch: epoch.epoch,
    revision: table.modRevision,
    checksum,
    formerEpochs: epoch.formerEpochs,
  };
  const isSame = known?.stored !== undefined && isSameHistory(known.stored.history, history);
  return { range, epoch, content, stored: isSame ? known.stored : storedOf(document, history) };
}

function isSameHistory(a: History, b: History): boolean {
  const isSamePlace = a.epoch === b.epoch && a.revision === b.revision && a.checksum === b.checksum;
  return isSamePlace && a.formerEpochs.join() === b.formerEpochs.join();
}

function contentOf(table: Entry | undefined, known: Content | undefined): Content {
  if (table === undefined) return { kind: "absent" };
  const { value } = table;
  if (known !== undefined && known.kind !== "absent" && known.value.equals(value)) return known;
  const read = readDocument(value);
  if (!read.ok) return { kind: "invalid", value, faults: read.faults };
  const { document, table: parsed } = read;
  return { kind: "valid", value, checksum: checksumOf(document), document: { document, table: parsed } };
}

function epochOf(entry: Entry | undefined): EpochRecord | undefined {
  if (entry === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(entry.value.toString("utf8")));
  } catch {
    // Whatever stands there, it is no epoch of ours: a new one begins.
    return undefined;
  }
}

// #region lost-history
/**
 * Why the cluster needs a new epoch, or undefined.
 * @param witnesses Positions that somebody had before the keys were read: routers, and this control plane itself
 */
export function reasonForNewEpoch(
  { range, epoch, content, stored }: Seen,
  witnesses: readonly Position[],
): string | undefined {
  if (epoch === undefined) return "the cluster has no epoch yet";
  if (epoch.clusterId !== range.clusterId)
    return `the epoch began in cluster ${epoch.clusterId}, and this is cluster ${range.clusterId}`;
  const revision = range.entries.get("table")?.modRevision;
  const proof = witnesses.find((have) => {
    if (stored !== undefined) return isLostHistory(stored.history, have);
    if (have.epoch !== epoch.epoch) return !epoch.formerEpochs.includes(have.epoch);
    // Whoever deletes the key, or puts rubbish there, has not lost history by that.
    return content.kind === "invalid" && revision !== undefined && have.revision > revision;
  });
  return proof && `somebody has revision ${proof.revision} of a lost history`;
}

/** The next epoch: every epoch that anybody is known to have had lies behind it. */
export function nextEpochRecord(
  { range, epoch }: Seen,
  witnesses: readonly (Position & Partial<History>)[],
  newEpoch: (clusterId: string) => string,
): EpochRecord {
  const former = [
    ...witnesses.flatMap(({ formerEpochs = [] }) => formerEpochs),
    ...(epoch?.formerEpochs ?? []),
    ...(epoch === undefined ? [] : [epoch.epoch]),
    ...witnesses.map((have) => have.epoch),
  ];
  // Of an epoch that occurs twice, the last place counts: the oldest are dropped.
  const formerEpochs = [...new Set(former.reverse())].reverse().slice(-maxFormerEpochs);
  return { epoch: newEpoch(range.clusterId), clusterId: range.clusterId, formerEpochs };
}
// #endregion lost-history

/** Whether `next` comes after `current`. Two control planes that saw the same keys agree. */
export function isLater(next: History, current: History): boolean {
  if (next.epoch === current.epoch) return next.revision > current.revision;
  return next.formerEpochs.includes(current.epoch);
}
