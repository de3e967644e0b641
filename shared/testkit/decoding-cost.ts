// What it costs a process to decode a document: measured in a process of its own, whose heap is bounded, so that a decoder
// that takes too much memory ends that process and not the test.

import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export interface DecodingCost {
  readonly ok: boolean;
  readonly faults: readonly string[];
  /** How much the process grew at most, in bytes. */
  readonly growthBytes: number;
}

/** A module of a stage that decodes bytes: `table-decoder.ts`. */
export interface Decoder {
  decodeTable(bytes: Uint8Array): { readonly ok: boolean; readonly faults?: readonly string[] };
}

/**
 * Decodes `text` in a process with a heap of at most `maxHeapBytes`.
 * @param decoder URL of a module that is a `Decoder`
 */
export async function decodingCost(decoder: URL, text: string, maxHeapBytes: number): Promise<DecodingCost> {
  const folder = await mkdtemp(join(tmpdir(), "cell-routing-decode-"));
  try {
    const file = join(folder, "document.json");
    await writeFile(file, text);
    const child = fileURLToPath(new URL("./decoding-child.ts", import.meta.url));
    const flags = [`--max-old-space-size=${Math.ceil(maxHeapBytes / 1_048_576)}`, "--expose-gc"];
    const { stdout } = await promisify(execFile)(process.execPath, [...flags, child, decoder.href, file]);
    return JSON.parse(stdout);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
