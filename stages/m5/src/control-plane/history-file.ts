// Where epoch and revision of the store are kept over a restart: one small file that is replaced whole.

import { readFile, rename } from "node:fs/promises";
import { z } from "zod";
import { writeDurably } from "./durable-write.ts";
import type { History } from "./history.ts";

const schema = z.object({
  format: z.literal(1),
  epoch: z.string().min(1),
  revision: z.number().int().min(1),
  /** Of the document that had this revision: it tells whether the routing file has changed since. */
  checksum: z.string(),
  formerEpochs: z.array(z.string()),
});

/** Undefined when there is none, or none that can be read: then the past is unknown. A damaged file is kept aside. */
export async function readHistory(path: string): Promise<History | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const { format: _, ...history } = schema.parse(JSON.parse(text));
    return history;
  } catch {
    await rename(path, `${path}.damaged`);
    return undefined;
  }
}

/** Resolves when the file is on disk, whole. */
export async function writeHistory(path: string, history: History): Promise<void> {
  await writeDurably(path, `${JSON.stringify({ format: 1, ...history }, null, 2)}\n`, 0o600);
}
