// The other thread's end of `document-patch.ts`: does the work that it was started with, and answers with the bytes.

import { parentPort, workerData } from "node:worker_threads";
import { patched } from "./document-patch.ts";

const { documentJson, patchJson } = workerData as { documentJson: Uint8Array; patchJson: Uint8Array };
const bytes = patched(documentJson, patchJson);
// Moved, not copied.
parentPort?.postMessage(bytes, [bytes.buffer as ArrayBuffer]);
