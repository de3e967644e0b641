// Carries a plan out on a running worker, and finds out what HAProxy made of it: nothing counts as done before it has been read
// back from there.

import type { RoutingTable } from "../../../stages/m4/src/routing-table.ts";
import { type MapFile, mapEntries, mapFiles } from "../maps.ts";
import type { RuntimeChange } from "../plan-change.ts";
import { type Drift, driftOf, driftWords, hasDrift } from "./drift.ts";
import type { ShownEntry } from "./runtime-output.ts";
import { HaproxyRefusal, type Worker } from "./worker.ts";

type MapChange = Extract<RuntimeChange, { readonly file: MapFile }>;

// #region carry-out
/**
 * Carries the changes out. One entry of a map is changed by itself; of more, the whole map is replaced, so that all of them
 * take effect at one moment.
 *
 * @throws HaproxyRefusal when HAProxy refuses one, or does not show it afterwards
 */
export async function carryOut(
  worker: Worker,
  table: RoutingTable,
  changes: readonly RuntimeChange[],
): Promise<void> {
  for (const change of changes) if ("backend" in change) await worker.setLimit(change);
  for (const file of mapFiles) {
    const inMap = changesOf(file, changes);
    const [first] = inMap;
    if (inMap.length > 1) await worker.replaceMap(file, mapEntries(table)[file]);
    else if (first?.kind === "map-set") await worker.setEntry(file, first.key, first.value);
    else if (first?.kind === "map-delete") await worker.deleteEntry(file, first.key);
  }
  const wrong = await unconfirmed(worker, table, changes);
  if (wrong.length > 0) throw new HaproxyRefusal(`HAProxy did not take over ${wrong.join(", ")}`);
}

/** One entry is asked for by itself: a whole map of many keys takes long to read. */
async function unconfirmed(
  worker: Worker,
  table: RoutingTable,
  changes: readonly RuntimeChange[],
): Promise<string[]> {
  const wrong: string[] = [];
  const replaced: MapFile[] = [];
  for (const file of mapFiles) {
    const inMap = changesOf(file, changes);
    const [first] = inMap;
    if (inMap.length > 1) replaced.push(file);
    if (inMap.length !== 1 || first === undefined) continue;
    const value = await worker.value(file, first.key);
    if (value !== (first.kind === "map-set" ? first.value : undefined)) wrong.push(`${file} ${first.key}`);
  }
  if (replaced.length > 0 || changes.some((change) => "backend" in change))
    wrong.push(...driftWords(await look(worker, table, replaced)));
  return wrong;
}
// #endregion carry-out

/** Reads the maps and the servers, and compares them with the table. */
export async function look(
  worker: Worker,
  table: RoutingTable,
  files: readonly MapFile[] = mapFiles,
): Promise<Drift> {
  const maps = new Map<MapFile, readonly ShownEntry[]>();
  for (const file of files) maps.set(file, await worker.entries(file));
  const drift = driftOf(table, { maps, servers: await worker.servers() });
  return { ...drift, maps: drift.maps.filter((file) => files.includes(file)) };
}

/** Sets right what the Runtime API can set right. */
export async function mend(worker: Worker, table: RoutingTable, drift: Drift): Promise<void> {
  for (const change of drift.servers) await worker.setLimit(change);
  for (const file of drift.maps) await worker.replaceMap(file, mapEntries(table)[file]);
}

/** @throws HaproxyRefusal when HAProxy does not hold what the table says */
export async function confirm(worker: Worker, table: RoutingTable): Promise<void> {
  const drift = await look(worker, table);
  if (hasDrift(drift)) throw new HaproxyRefusal(`HAProxy did not take over ${driftWords(drift).join(", ")}`);
}

function changesOf(file: MapFile, changes: readonly RuntimeChange[]): MapChange[] {
  return changes.filter((change): change is MapChange => "file" in change && change.file === file);
}
