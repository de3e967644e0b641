// What must hold before a request is routed, as in m4's `request-head.ts`: clear framing, one host, a target that can be passed
// on, one routing key. HAProxy's own parser has refused what it takes for malformed before any of these rules runs.

import { maxRoutingKeyBytes } from "../../stages/m4/src/routing-table.ts";
import { quoted, refuse } from "./pages.ts";

export const allowedMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/** A condition: the request has a body. */
export const hasBody = "{ req.hdr(transfer-encoding) -m found } or { req.hdr_val(content-length) gt 0 }";

/** Bytes that no field may hold. HAProxy 2.6 passes them on. https://www.rfc-editor.org/rfc/rfc9110#section-5.5 */
export const controlBytes = quoted("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f]");
const hostBytes = "-._~%!$&'()*+;=:\\[\\]0-9A-Za-z";
const methodBytes = "!#$%&'*+.^_`|~0-9A-Za-z-";

/** What no two readers may understand differently: the connection ends with the refusal. */
function framing(): readonly string[] {
  const closes = { closes: true };
  return [
    refuse("version-not-supported", "!{ req.ver -m str 1.0 1.1 }", closes),
    refuse("malformed-request", `!{ method -m reg ${quoted(`^[${methodBytes}]+$`)} }`, closes),
    refuse("malformed-request", `{ req.hdrs -m reg ${controlBytes} }`, closes),
    // A transfer coding in HTTP/1.0: an intermediary did not understand the field.
    refuse("malformed-request", "HTTP_1.0 { req.fhdr_cnt(transfer-encoding) gt 0 }", closes),
    refuse("connect-not-supported", "METH_CONNECT", closes),
    refuse("ambiguous-host", "{ req.fhdr_cnt(host) gt 1 }", closes),
    refuse("ambiguous-host", "HTTP_1.1 { req.fhdr_cnt(host) eq 0 }", closes),
    refuse("ambiguous-host", `{ req.fhdr(host) -m reg ${quoted(`[^${hostBytes}]`)} }`, closes),
  ];
}

/** The target in origin form, as a cell expects it. */
function targetRules(): readonly string[] {
  const target = "url";
  const isAbsolute = `{ ${target} -m reg -i ${quoted(`^https?://[${hostBytes}]+([/?].*)?$`)} }`;
  return [
    refuse("unsupported-target", `{ ${target} -m sub '#' }`),
    refuse("target-not-supported", `{ ${target} -m str * }`),
    refuse("unsupported-target", `!{ ${target} -m beg / } !${isAbsolute}`),
    refuse("target-not-supported", `METH_OPTIONS { ${target} -m reg -i ^https?://[^/?]+$ }`),
    `http-request set-uri /%[pathq] if !{ ${target} -m beg / } !{ pathq -m beg / }`,
    `http-request set-uri %[pathq] if !{ ${target} -m beg / } { pathq -m beg / }`,
  ];
}

/** What is refused before anything is decided from the request, as in m4's `request-head.ts`. */
export function validation(): readonly string[] {
  return [
    "http-request set-var(txn.id) unique-id",
    "http-request set-var(txn.id) req.fhdr(x-request-id) if { req.fhdr_cnt(x-request-id) eq 1 } { req.fhdr(x-request-id) -m reg ^[A-Za-z0-9._-]{1,128}$ }",
    ...framing(),
    refuse("method-not-allowed", "METH_TRACE", { fields: { Allow: allowedMethods } }),
    refuse("expectation-failed", "HTTP_1.1 { req.fhdr(expect) -m reg -i ^(?!100-continue$) }"),
    ...targetRules(),
    // `fhdr` and not `hdr`: a comma is a part of the key.
    "http-request set-var(txn.key) req.fhdr(x-routing-key,1)",
    // Each repetition is compared with the first.
    refuse("ambiguous-routing-key", "{ req.fhdr(x-routing-key),strcmp(txn.key) lt 0 }"),
    refuse("ambiguous-routing-key", "{ req.fhdr(x-routing-key),strcmp(txn.key) gt 0 }"),
    refuse("missing-routing-key", "!{ var(txn.key),length gt 0 }"),
    refuse("routing-key-too-long", `{ var(txn.key),length gt ${maxRoutingKeyBytes} }`),
  ];
}
