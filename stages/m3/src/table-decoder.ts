// From the bytes of a file to a routing table, or to the reasons why not. Decides where that work is done: at once for
// a small table, in another thread for a large one, because requests wait while this thread works.

import { once } from "node:events";
import { setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { checksumOf } from "./checksum.ts";
import { readJson } from "./json-document.ts";
import { type Placement, parseRoutingTable, type RoutingTable } from "./routing-table.ts";

export type Decoded =
  | { readonly ok: true; readonly table: RoutingTable; readonly checksum: string }
  | { readonly ok: false; readonly faults: readonly string[] };

// #region decode
/** Decodes on the spot. Never throws. */
export function decodeTable(bytes: Uint8Array): Decoded {
  const read = readJson(bytes);
  if (!read.ok) return read;
  const result = parseRoutingTable(read.value);
  if (!result.ok) return result;
  return { ok: true, table: result.table, checksum: checksumOf(read.value) };
}
// #endregion decode

// #region aside
/** From this size on, about 2,000 routing keys, the work takes longer than requests should wait. */
export const offloadedFromBytes = 64 * 1024;

/** What the other thread sends first. The large part of a table follows in slices, each when it is asked for. */
export type Head =
  | { readonly ok: true; readonly table: Omit<RoutingTable, "placementByKey">; readonly checksum: string }
  | { readonly ok: false; readonly faults: readonly string[] };

/** Routing keys, and the name of the placement of each. */
export interface Slice {
  readonly keys: readonly string[];
  readonly names: readonly string[];
}

/** Heap of the other thread, in MiB: twice what a table of 32 MiB was seen to take. Beyond it, the thread ends. */
const defaultMaxHeapMb = 1_024;

/**
 * Decodes without holding up the requests for more than a few milliseconds at a time: reading the JSON and checking it
 * is another thread's work, and the map is built here slice by slice, with requests served in between.
 * @throws Error when the thread fails, or when `signal` aborts
 */
export async function decodeTableOffloaded(
  bytes: Uint8Array,
  signal?: AbortSignal,
  maxHeapMb = defaultMaxHeapMb,
): Promise<Decoded> {
  const worker = new Worker(new URL("./table-decoder-worker.ts", import.meta.url), {
    workerData: bytes,
    resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
  });
  const failed = new AbortController();
  // From the first moment to the last: a thread may fail between two messages, too.
  worker.on("error", (error) => failed.abort(error));
  worker.on("exit", () => failed.abort(new Error("The decoding thread ended before it had answered")));
  const ends = signal === undefined ? failed.signal : AbortSignal.any([failed.signal, signal]);
  const answer = async <Message>(): Promise<Message> => {
    // Tells the reason; `once` itself would only say that something was aborted.
    const [message] = await once(worker, "message", { signal: ends }).catch(() =>
      Promise.reject(ends.reason),
    );
    return message as Message;
  };
  try {
    const head = await answer<Head>();
    if (!head.ok) return head;
    const placementByKey = new Map<string, Placement>();
    for (;;) {
      worker.postMessage("next");
      const slice = await answer<Slice>();
      if (slice.keys.length === 0) break;
      addSlice(placementByKey, slice, head.table.placements);
      await setImmediate();
    }
    return { ok: true, table: { ...head.table, placementByKey }, checksum: head.checksum };
  } catch (error) {
    // The document's fault and not the moment's: another attempt would take as much again.
    if (error instanceof Error && "code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY")
      return { ok: false, faults: [`(document): takes more than ${maxHeapMb} MiB to read`] };
    throw error;
  } finally {
    await worker.terminate();
  }
}

function addSlice(
  placementByKey: Map<string, Placement>,
  { keys, names }: Slice,
  placements: ReadonlyMap<string, Placement>,
): void {
  for (const [at, key] of keys.entries()) {
    const placement = placements.get(names[at] ?? "");
    if (placement !== undefined) placementByKey.set(key, placement);
  }
}
// #endregion aside
