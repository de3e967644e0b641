// A routing document with a change applied, as bytes. Owns the choice where that work is done: for a small document at once,
// for a large one in a thread of its own, because requests wait while this one works.

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { apply } from "./merge-patch.ts";
import { asideFromBytes } from "./table-decoder.ts";

// #region patch
/** Both arguments and the result are JSON. @throws when one is not, or when the thread fails */
export function patchDocument(
  documentJson: Uint8Array,
  patchJson: Uint8Array,
): Uint8Array | Promise<Uint8Array> {
  const isLarge = documentJson.length + patchJson.length >= asideFromBytes;
  return isLarge ? patchAside(documentJson, patchJson) : patched(documentJson, patchJson);
}

/** On the spot. */
export function patched(documentJson: Uint8Array, patchJson: Uint8Array): Uint8Array {
  const utf8 = new TextDecoder("utf-8", { fatal: true });
  const result = apply(JSON.parse(utf8.decode(documentJson)), JSON.parse(utf8.decode(patchJson)));
  return new TextEncoder().encode(JSON.stringify(result));
}

async function patchAside(documentJson: Uint8Array, patchJson: Uint8Array): Promise<Uint8Array> {
  const workerData = { documentJson, patchJson };
  const worker = new Worker(new URL("./document-patch-worker.ts", import.meta.url), { workerData });
  try {
    const [bytes] = (await once(worker, "message")) as [Uint8Array];
    return bytes;
  } finally {
    await worker.terminate();
  }
}
// #endregion patch
