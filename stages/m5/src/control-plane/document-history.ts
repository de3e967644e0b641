// The routing documents that came before the current one, as far back as memory is worth it: what a router has decides
// whether it can be sent a change instead of the whole.

import { diff, type Json } from "../delta/merge-patch.ts";
import { encodeDelta, type Position } from "../protocol.ts";

/** A document, its place in history, and the message that brings it whole. */
interface Version {
  readonly history: Position;
  readonly document: unknown;
  readonly frame: Uint8Array;
}

/** A router that is further behind gets the whole. */
const maxDocuments = 16;
/** Of large tables fewer are kept. Measured as messages; in memory a document takes a few times as much. */
const maxBytes = 32 * 1024 * 1024;

// #region document-history
export class DocumentHistory {
  #versions: readonly Version[] = [];

  /** Keeps `version`, and forgets the oldest beyond the bounds. */
  add({ history, document, frame }: Version): void {
    // Nothing else of it: what gave its own changes knows the versions before it, and those the ones before them.
    const versions = [...this.#versions, { history, document, frame }].slice(-maxDocuments);
    let bytes = versions.reduce((sum, { frame }) => sum + frame.length, 0);
    while (bytes > maxBytes) bytes -= versions.shift()?.frame.length ?? bytes;
    this.#versions = versions;
  }

  /** What gives the change from any kept document to `to`: worked out when first asked for, once for all who ask. */
  deltasTo(to: Version): (base: string) => Uint8Array | undefined {
    const versions = this.#versions;
    const deltas = new Map<string, Uint8Array | undefined>();
    return (base) => {
      if (!deltas.has(base)) {
        const from = versions.findLast(({ history }) => history.checksum === base);
        deltas.set(base, from && deltaOf(from, to));
      }
      return deltas.get(base);
    };
  }
}

function deltaOf(from: Version, to: Version): Uint8Array | undefined {
  const patch = diff(from.document as Json, to.document as Json);
  if (patch === undefined) return undefined;
  const delta = encodeDelta(to.history, from.history.checksum, JSON.stringify(patch));
  // A change of nearly everything costs the router more work than the whole.
  return delta.length * 2 < to.frame.length ? delta : undefined;
}
// #endregion document-history
