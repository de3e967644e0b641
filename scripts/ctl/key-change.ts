// Changes one key under optimistic concurrency. Changes of different keys do not get into each other's way, so a lost
// race is run again — unless somebody changed this very key: then the caller decides, not this program.

import { UsageError } from "../command-line.ts";
import { Changed, type ControlPlaneClient, type KeyView } from "./client.ts";

export interface KeyChange {
  readonly words: string;
  readonly key: string;
  readonly revision: number | null;
  readonly changed: boolean;
  /** How often another change came first. */
  readonly retries: number;
}

/** Many times what people at keyboards need; a program that writes without a pause must not hold this one for ever. */
const maxRetries = 10;

export async function setKey(client: ControlPlaneClient, key: string, placement: string): Promise<KeyChange> {
  const before = await client.key(key);
  if (before.listed && before.placement === placement)
    return nothing(key, `${key} is served by ${placement} already`);
  const from = before.listed ? ` (it was ${before.placement})` : "";
  return await change(client, before, placement, `${key} is served by ${placement}${from}`);
}

/** @throws UsageError when the table does not list `key` */
export async function removeKey(client: ControlPlaneClient, key: string): Promise<KeyChange> {
  const before = await client.key(key);
  if (!before.listed)
    throw new UsageError(`the table does not list ${key}: it goes to ${before.placement}, the default`);
  return await change(client, before, null, `${key} is not listed any more (it was ${before.placement})`);
}

async function change(
  client: ControlPlaneClient,
  before: KeyView,
  placement: string | null,
  words: string,
): Promise<KeyChange> {
  const { key } = before;
  let { etag } = before;
  for (let retries = 0; ; retries++) {
    try {
      const { revision, changed } = await client.patchKey(key, placement, etag);
      return {
        words: `revision ${revision}: ${words}${retriedWords(retries)}`,
        key,
        revision,
        changed,
        retries,
      };
    } catch (error) {
      if (!(error instanceof Changed) || retries === maxRetries) throw error;
    }
    const now = await client.key(key);
    if (now.placement !== before.placement || now.listed !== before.listed) {
      throw new UsageError(
        `somebody else has just changed ${key}: it is ${now.listed ? `served by ${now.placement}` : "not listed any more"}. Nothing was written; run the command again if you still want to.`,
      );
    }
    etag = now.etag;
  }
}

function nothing(key: string, words: string): KeyChange {
  return { words: `nothing to change: ${words}`, key, revision: null, changed: false, retries: 0 };
}

function retriedWords(retries: number): string {
  if (retries === 0) return "";
  return `; somebody else changed another key first, so this was tried ${retries + 1} times`;
}
