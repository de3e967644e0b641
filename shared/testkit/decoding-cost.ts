// What it costs a process to decode a document: measured in a process of its own, whose heap is bounded, so that a decoder
// that takes too much memory ends that process and not the test.

import { execFile } from "node:child_process";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

export interface DecodingCost {
  readonly ok: boolean;
  readonly faults: readonly string[];
  /** How much the process grew at most, in bytes. */
  readonly growthBytes: number;
}

/** The program that is measured. It prints a `DecodingCost`. */
const program = (decoder: URL): string => `
  import { readFileSync } from "node:fs";
  import { decodeTable } from ${JSON.stringify(decoder.href)};
  const bytes = readFileSync(process.argv[1]);
  globalThis.gc();
  const before = process.memoryUsage().rss;
  const { ok, faults = [] } = decodeTable(bytes);
  const growthBytes = Math.max(0, process.resourceUsage().maxRSS * 1024 - before);
  process.stdout.write(JSON.stringify({ ok, faults, growthBytes }));
`;

/**
 * Decodes `text` in a process with a heap of at most `maxHeapBytes`.
 * @param decoder URL of a stage's `table-decoder.ts`
 */
export async function decodingCost(decoder: URL, text: string, maxHeapBytes: number): Promise<DecodingCost> {
  await using folder = await mkdtempDisposable(join(tmpdir(), "cell-routing-decode-"));
  const file = join(folder.path, "document.json");
  await writeFile(file, text);
  const flags = [`--max-old-space-size=${Math.ceil(maxHeapBytes / 1_048_576)}`, "--expose-gc"];
  const args = [...flags, "--input-type=module", "-e", program(decoder), file];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout);
}
