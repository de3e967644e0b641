// A routing document with a change applied, as bytes. Owns the choice where that work is done: for a small document at once,
// for a large one in a thread of its own, because requests wait while this one works.

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { offloadedFromBytes } from "../table-decoder.ts";
import { apply } from "./merge-patch.ts";

// #region patch
/** Both arguments and the result are JSON. Rejects when one is not, when the thread fails, or when `signal` aborts. */
export async function patchDocument(
  documentJson: Uint8Array,
  patchJson: Uint8Array,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const isLarge = documentJson.length + patchJson.length >= offloadedFromBytes;
  return isLarge ? await patchOffloaded(documentJson, patchJson, signal) : patched(documentJson, patchJson);
}

/** On the spot. */
export function patched(documentJson: Uint8Array, patchJson: Uint8Array): Uint8Array {
  const utf8 = new TextDecoder("utf-8", { fatal: true });
  const result = apply(JSON.parse(utf8.decode(documentJson)), JSON.parse(utf8.decode(patchJson)));
  return new TextEncoder().encode(JSON.stringify(result));
}

async function patchOffloaded(
  documentJson: Uint8Array,
  patchJson: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const workerData = { documentJson, patchJson };
  const worker = new Worker(new URL("./document-patch-worker.ts", import.meta.url), { workerData });
  const died = new AbortController();
  worker.on("error", (error) => died.abort(error));
  worker.once("exit", (code) => died.abort(new Error(`the patching thread ended with code ${code}`)));
  const ending = signal === undefined ? died.signal : AbortSignal.any([died.signal, signal]);
  try {
    const [bytes] = await once(worker, "message", { signal: ending }).catch(() =>
      Promise.reject(ending.reason),
    );
    return bytes as Uint8Array;
  } finally {
    await worker.terminate();
  }
}
// #endregion patch
