// One revision of the routing table, and where one comes from: the bytes of a file, or a change.

import { encodeSnapshot, type Position } from "../protocol.ts";
import { parseRoutingTable, type RoutingDocument, type RoutingTable } from "../routing-table.ts";
import { decodeTable } from "../table-decoder.ts";
import type { History } from "./history.ts";
import type { Published } from "./router-link.ts";

/** One revision: valid, on disk, and encoded for the wire. Never edited. */
export interface Stored extends Published {
  readonly document: RoutingDocument;
  readonly table: RoutingTable;
  /** The document, as it stands in `frame`: all who read it share these bytes. */
  readonly json: Uint8Array;
}

export interface ValidDocument {
  readonly document: RoutingDocument;
  readonly table: RoutingTable;
}

export type Validated =
  | ({ readonly ok: true } & ValidDocument)
  | { readonly ok: false; readonly faults: readonly string[] };

export function storedOf({ document, table }: ValidDocument, history: History): Stored {
  const text = JSON.stringify(document);
  const frame = encodeSnapshot(history, text);
  return { history, document, table, frame, json: frame.subarray(frame.length - Buffer.byteLength(text)) };
}

/** A strong entity tag: one revision, one content. */
export function etagOf({ epoch, revision }: Position): string {
  return `"${epoch}.${revision}"`;
}

/** What a file holds. */
export function readDocument(json: Buffer): Validated {
  const decoded = decodeTable(json);
  if (!decoded.ok) return decoded;
  // A byte order mark, which an editor may have put there, is not a part of it.
  return { ok: true, document: JSON.parse(new TextDecoder().decode(json)), table: decoded.table };
}

// #region changes
/** What becomes of the document; undefined when there is no such key to change. */
export type Change = (document: RoutingDocument) => Validated | undefined;

/**
 * `document` is what `json` holds. The decoder sees in bytes what a parsed document does not show any more, such as a key
 * that stands there twice.
 */
export function replaceDocument(json: Buffer, document: unknown): Change {
  return () => {
    const decoded = decodeTable(json);
    return decoded.ok ? { ok: true, document: document as RoutingDocument, table: decoded.table } : decoded;
  };
}

export function setKey(key: string, placement: string): Change {
  // A computed property makes an own one, even of `__proto__`.
  return (document) =>
    validated({ ...document, routingTable: { ...document.routingTable, [key]: placement } });
}

export function removeKey(key: string): Change {
  return (document) => {
    if (!Object.hasOwn(document.routingTable, key)) return undefined;
    const { [key]: _, ...routingTable } = document.routingTable;
    return validated({ ...document, routingTable });
  };
}

function validated(document: RoutingDocument): Validated {
  const parsed = parseRoutingTable(document);
  return parsed.ok ? { ok: true, document, table: parsed.table } : parsed;
}
// #endregion changes
