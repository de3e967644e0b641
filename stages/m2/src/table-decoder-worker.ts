// The other thread's end of `table-decoder.ts`: decodes the bytes that it was started with, sends back everything but
// the routing keys, and hands those out slice by slice.

import { once } from "node:events";
import { parentPort, workerData } from "node:worker_threads";
import { decodeTable, type Head, type Slice } from "./table-decoder.ts";

/** Small enough to be taken in within a millisecond or two. */
const sliceKeys = 2_000;

const port = parentPort;
if (port === null) throw new Error("table-decoder-worker.ts runs in a worker thread only.");

const decoded = decodeTable(workerData as Uint8Array);
if (!decoded.ok) {
  port.postMessage(decoded satisfies Head);
} else {
  const { placementByKey, ...table } = decoded.table;
  const entries = [...placementByKey];
  port.postMessage({ ok: true, table, checksum: decoded.checksum } satisfies Head);
  // The slice after the last one is empty: it says that nothing is left.
  for (let from = 0; from < entries.length + sliceKeys; from += sliceKeys) {
    await once(port, "message");
    const slice = entries.slice(from, from + sliceKeys);
    const names = slice.map(([, { name }]) => name);
    port.postMessage({ keys: slice.map(([key]) => key), names } satisfies Slice);
  }
}
