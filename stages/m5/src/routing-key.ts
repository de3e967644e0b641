// What must hold before a request may be routed, beyond what the strict parser in `http1/` has already refused: a
// method that is served, an expectation that can be met, one routing key.

import type { ErrorCode } from "./errors.ts";
import { Field } from "./http1/field-names.ts";
import type { RequestHead } from "./http1/request-head.ts";
import { maxRoutingKeyBytes } from "./routing-table.ts";

export type RoutingKeyResult =
  | {
      readonly ok: true;
      /** The key as text, for the look-up and the log. */
      readonly routingKey: string;
      /** The key's bytes as they came, for the cell. */
      readonly rawRoutingKey: string;
    }
  | { readonly ok: false; readonly code: ErrorCode };

// #region read-routing-key
export function readRoutingKey(head: RequestHead): RoutingKeyResult {
  const { fields, method } = head;
  if (method === "TRACE") return refused("method-not-allowed");
  if (method === "CONNECT") return refused("connect-not-supported");
  if (head.expectation === "other") return refused("expectation-failed");
  const rawRoutingKey = fields.valueOf(Field.xRoutingKey) ?? "";
  if (
    fields.isRepeated(Field.xRoutingKey) &&
    fields.valuesOf(Field.xRoutingKey).some((other) => other !== rawRoutingKey)
  ) {
    return refused("ambiguous-routing-key");
  }
  if (rawRoutingKey === "") return refused("missing-routing-key");
  if (rawRoutingKey.length > maxRoutingKeyBytes) return refused("routing-key-too-long");
  return { ok: true, routingKey: decodeUtf8(rawRoutingKey), rawRoutingKey };
}
// #endregion read-routing-key

/**
 * Reads header bytes, which arrive as one Latin-1 character each, as the UTF-8 text that clients mean. Bytes that are
 * not UTF-8 become U+FFFD: the key is then one that no table lists, and so goes to the default placement.
 */
function decodeUtf8(bytes: string): string {
  for (let i = 0; i < bytes.length; i++) {
    if (bytes.charCodeAt(i) > 0x7f) return Buffer.from(bytes, "latin1").toString("utf8");
  }
  return bytes;
}

function refused(code: ErrorCode): { readonly ok: false; readonly code: ErrorCode } {
  return { ok: false, code };
}
