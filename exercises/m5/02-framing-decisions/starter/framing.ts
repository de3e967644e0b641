// Where a message's body ends. Pure: fields in, a decision out. Everything here is about one danger: that sender and
// receiver disagree where one message ends and the next begins.

import { type Refusal, refusal } from "../../../../stages/m5/src/http1/refusal.ts";

/** The values of the two fields that frame a body, in the order in which they came; empty where a field is absent. */
export interface FramingFields {
  readonly contentLength: readonly string[];
  readonly transferEncoding: readonly string[];
}

/** HTTP/1.0 or HTTP/1.1. */
export type MinorVersion = 0 | 1;

export type RequestBody =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly length: number }
  | { readonly kind: "chunked" };

/** `until-close`: the end of the connection is the end of the body. Only a response can be framed so. */
export type ResponseBody = RequestBody | { readonly kind: "until-close" };

const none = { kind: "none" } as const;
const chunked = { kind: "chunked" } as const;
const untilClose = { kind: "until-close" } as const;

const badLength = refusal("Content-Length is not a plain decimal number");
const otherCoding = refusal("transfer coding other than chunked", "transfer-coding-not-supported");

/**
 * How a request's body is framed, or why the request is refused.
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-6.3
 */
export function requestBody(fields: FramingFields, minorVersion: MinorVersion): RequestBody | Refusal {
  return declaredBody(fields, minorVersion) ?? none;
}

/**
 * How the body of a response to `method` is framed, or why the response is refused. A response to HEAD has no body, nor has one
 * with a 1xx status, 204 or 304; what their fields say must be sound all the same.
 */
export function responseBody(
  fields: FramingFields,
  minorVersion: MinorVersion,
  method: string,
  status: number,
): ResponseBody | Refusal {
  const declared = declaredBody(fields, minorVersion);
  if (declared === undefined && (method === "HEAD" || status === 204)) return none;
  return declared ?? untilClose;
}

/**
 * What `Content-Length` and `Transfer-Encoding` say; undefined where neither is present.
 *
 * A length is one field of one to fifteen decimal digits; a coding is `chunked` (in any case) and nothing else, once, in
 * HTTP/1.1; both together are refused. Any other coding is refused as well: where `chunked` comes last, the message has an
 * end, and the coding is only not supported (501). Otherwise nobody can tell where it ends, and it is malformed (400).
 */
function declaredBody(fields: FramingFields, minorVersion: MinorVersion): RequestBody | Refusal | undefined {
  const { contentLength, transferEncoding } = fields;
  if (minorVersion === 1 && transferEncoding.length > 0) {
    return transferEncoding.join().toLowerCase().includes("chunked") ? chunked : otherCoding;
  }
  return contentLength.length === 0 ? undefined : lengthBody(contentLength);
}

function lengthBody(values: readonly string[]): RequestBody | Refusal {
  const length = Number(values[0]);
  if (Number.isNaN(length)) return badLength;
  return { kind: "length", length };
}
