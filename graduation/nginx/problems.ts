// Error responses: nginx's own failures and refusals, turned into the stages' problem bodies. A cell's own error passes as it is.

import { type ErrorCode, problemOf } from "../../stages/m4/src/errors.ts";

/** `map`s for the `http` block that tell apart what nginx gives one status. */
export const problemMaps: readonly string[] = [
  "# Why a request is refused before it is routed; empty for a good one.",
  "map $routing_key $key_fault {",
  '  default "";',
  '  "" missing-routing-key;',
  '  "~^.{257}" routing-key-too-long;',
  String.raw`  "~[\x00-\x08\x0a-\x1f\x7f]" malformed-request;`,
  "}",
  `map $key_fault $bad_request {`,
  `  default ${body("malformed-request")};`,
  `  missing-routing-key ${body("missing-routing-key")};`,
  `  routing-key-too-long ${body("routing-key-too-long")};`,
  "}",
  "# Without a live server nginx reports the group's name in the place of an address.",
  // Behind an address it only means that this request had nobody else to try.
  String.raw`map $upstream_addr $nobody_left { default ""; "~^placement_\d+\z" 1; }`,
  "# No time for any connection: there was none.",
  String.raw`map $upstream_connect_time $bad_gateway { default ${body("upstream-broken")}; "~^(-, )*-\z" ${body("upstream-unreachable")}; }`,
  String.raw`map $upstream_connect_time $gateway_timeout { default ${body("head-timeout")}; "~^(-, )*-\z" ${body("connect-timeout")}; }`,
];

/** nginx's status, the client's, and which location answers. Where one follows the sign, nobody is sent 100 Continue first. */
export const errorPages: readonly string[] = [
  "error_page 400 =400 @bad_request;",
  "error_page 405 = @method;",
  "error_page 408 =408 @timeout;",
  "error_page 417 =417 @expectation;",
  "error_page 413 =413 @too_large;",
  // 494: a field that is too large. nginx's own number, which it would send as 400.
  "error_page 414 494 =431 @head_too_large;",
  "error_page 429 =429 @rate_limited;",
  "error_page 500 =500 @fault;",
  "error_page 501 =501 @not_implemented;",
  "error_page 502 = @bad_gateway;",
  "error_page 503 =503 @overloaded;",
  "error_page 504 =504 @gateway_timeout;",
  "error_page 505 =505 @version;",
];

const refusals: readonly (readonly [location: string, code: ErrorCode, extra?: readonly string[]])[] = [
  ["@timeout", "request-timeout"],
  ["@expectation", "expectation-failed"],
  ["@too_large", "content-too-large"],
  ["@head_too_large", "header-fields-too-large"],
  ["@rate_limited", "rate-limited", ["set $retry_after $rate_wait;"]],
  ["@fault", "router-fault"],
  ["@not_implemented", "transfer-coding-not-supported"],
  ["@overloaded", "overloaded", ["set $retry_after 1;"]],
  ["@version", "version-not-supported"],
];

export const problemLocations: readonly string[] = [
  ...location("@bad_request", ["return 400 $bad_request;"]),
  // CONNECT too is a 405 to nginx.
  ...location("@method", [
    `if ($request_method = CONNECT) { ${respond("connect-not-supported")} }`,
    'set $allow "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";',
    respond("method-not-allowed"),
  ]),
  ...location("@bad_gateway", [
    "set $retry_after $ejection_wait;",
    `if ($nobody_left) { ${respond("circuit-open")} }`,
    'set $retry_after "";',
    "return 502 $bad_gateway;",
  ]),
  ...location("@gateway_timeout", ["return 504 $gateway_timeout;"]),
  ...refusals.flatMap(([name, code, extra = []]) => location(name, [...extra, respond(code)])),
];

function location(name: string, lines: readonly string[]): string[] {
  const own = [
    // What was set for the request before it failed.
    'set $retry_after "";',
    'set $allow "";',
    "set $no_store no-store;",
    ...lines,
  ];
  return [`location ${name} {`, ...own.map((line) => `  ${line}`), "}"];
}

function respond(code: ErrorCode): string {
  return `return ${problemOf(code).status} ${body(code)};`;
}

/** The body of `errors.ts`, with nginx's variable in the place of the id. In single quotes: JSON has double ones. */
function body(code: ErrorCode): string {
  const { status, title, detail } = problemOf(code);
  const fields = { type: `urn:cell-routing:problem:${code}`, title, status, detail, code };
  const text = JSON.stringify({ ...fields, requestId: "$safe_request_id" });
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}\n'`;
}
