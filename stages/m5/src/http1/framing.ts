// Where a message's body ends, and whether its connection may carry another. Pure: fields in, a decision out.
// Everything here is about one danger: that sender and receiver disagree where one message ends and the next begins.

import type { ConnectionOptions } from "./connection-options.ts";
import { Field } from "./field-names.ts";
import type { FieldSection } from "./field-section.ts";
import { type Refusal, refusal } from "./refusal.ts";
import type { MinorVersion } from "./version.ts";

export type RequestBody =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly length: number }
  | { readonly kind: "chunked" };

/** `until-close`: the end of the connection is the end of the body. Only a response can be framed so. */
export type ResponseBody = RequestBody | { readonly kind: "until-close" };

const none = { kind: "none" } as const;
const chunked = { kind: "chunked" } as const;
const untilClose = { kind: "until-close" } as const;

const twoLengths = refusal("more than one Content-Length");
const badLength = refusal("Content-Length is not a plain decimal number");
const lengthAndCoding = refusal("both Content-Length and Transfer-Encoding");
const codingIn10 = refusal("Transfer-Encoding in HTTP/1.0");
const otherCoding = refusal("transfer coding other than chunked", "transfer-coding-not-supported");
const chunkedNotLast = refusal("chunked is not the last transfer coding");

// #region body-kind
/**
 * How a request's body is framed, or why the request is refused.
 *
 * The RFC lets a recipient repair some of these; a repair is exactly what the next recipient may do otherwise.
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-6.3
 */
export function requestBody(fields: FieldSection, minorVersion: MinorVersion): RequestBody | Refusal {
  return declaredBody(fields, minorVersion) ?? none;
}

/** How the body of a response to `method` is framed, or why the response is refused. */
export function responseBody(
  fields: FieldSection,
  minorVersion: MinorVersion,
  method: string,
  status: number,
): ResponseBody | Refusal {
  const declared = declaredBody(fields, minorVersion);
  if (declared !== undefined && "rule" in declared) return declared;
  // These have no body, whatever their fields say: the fields describe what a GET would have brought.
  if (method === "HEAD" || status < 200 || status === 204 || status === 304) return none;
  return declared ?? untilClose;
}

/** What `Content-Length` and `Transfer-Encoding` say; undefined where neither is present. */
function declaredBody(fields: FieldSection, minorVersion: MinorVersion): RequestBody | Refusal | undefined {
  if (!fields.has(Field.transferEncoding)) {
    return fields.has(Field.contentLength) ? lengthBody(fields) : undefined;
  }
  if (fields.has(Field.contentLength)) return lengthAndCoding;
  // The coding must have passed something that did not understand it, so its framing cannot be trusted (§6.1).
  if (minorVersion === 0) return codingIn10;
  if (
    fields.isRepeated(Field.transferEncoding) ||
    fields.valueOf(Field.transferEncoding)?.toLowerCase() !== "chunked"
  ) {
    // Unless chunked comes last, nobody can tell where the body ends: 400 and not 501 (§6.3).
    const last = fields.valuesOf(Field.transferEncoding).at(-1) ?? "";
    return /(^|,)[ \t]*chunked$/i.test(last) ? otherCoding : chunkedNotLast;
  }
  // A tab behind the name is allowed, and Node's parser, for one, then sees another coding.
  const index = fields.indexOf(Field.transferEncoding);
  const behind = fields.text.slice(fields.valueEnd(index), fields.lineStart(index + 1));
  return behind.includes("\t") ? otherCoding : chunked;
}

function lengthBody(fields: FieldSection): RequestBody | Refusal {
  if (fields.isRepeated(Field.contentLength)) return twoLengths;
  const index = fields.indexOf(Field.contentLength);
  const from = fields.valueStart(index);
  const to = fields.valueEnd(index);
  // Fifteen digits stay below 2^53: a longer number could not be counted down without losing bytes.
  if (to === from || to - from > 15) return badLength;
  let length = 0;
  for (let i = from; i < to; i++) {
    const digit = fields.text.charCodeAt(i) - 0x30;
    if (!(digit >= 0 && digit <= 9)) return badLength;
    length = length * 10 + digit;
  }
  return { kind: "length", length };
}
// #endregion body-kind

// #region persistence
/**
 * Whether the sender of this message means to go on using the connection.
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-9.3
 */
export function persists(minorVersion: MinorVersion, connection: ConnectionOptions): boolean {
  if (connection.close) return false;
  return minorVersion === 1 || connection.keepAlive;
}
// #endregion persistence
