// What becomes of a write. "Refused" means that nothing has changed; where that is not certain, the result says so.

import { codeOf } from "./disk.ts";
import { messageOf, OutcomeUnknown } from "./routing-file.ts";
import { StoreError } from "./store-lock.ts";
import type { Stored } from "./stored.ts";

export type WriteResult =
  | { readonly kind: "stored"; readonly stored: Stored }
  | { readonly kind: "conflict"; readonly stored: Stored }
  | { readonly kind: "invalid"; readonly faults: readonly string[] }
  /** The file holds an edit that is not valid. It stays there. */
  | { readonly kind: "edited"; readonly faults: readonly string[] }
  | { readonly kind: "unknown-key" }
  | { readonly kind: "too-large" }
  /** Too many others wait for their turn. */
  | { readonly kind: "busy" }
  /** The disk has refused it. Nothing has changed. */
  | { readonly kind: "unwritable"; readonly cause: string }
  /** The file has the new content, and the disk did not confirm that it will keep it. */
  | { readonly kind: "unknown"; readonly cause: string };

/** What a write that threw comes to. @throws the error when it is not the disk's, but a fault of this program */
export function failedWrite(error: unknown): WriteResult {
  const cause = messageOf(error);
  if (error instanceof OutcomeUnknown) return { kind: "unknown", cause };
  if (error instanceof StoreError || codeOf(error) !== undefined) return { kind: "unwritable", cause };
  throw error;
}
