// The frontend: what must hold before a request is routed, the look-up, the limits, and the fields that HAProxy writes. The
// order of the rules is that of m4's `proxy.ts`. Who serves is left to the placement's backend.

import { maxRoutingKeyBytes } from "../../stages/m4/src/routing-table.ts";
import type { MapFile } from "./maps.ts";
import { defaultEntry, unlistedEntry } from "./maps.ts";
import { quoted, refuse } from "./pages.ts";
import { rateTable } from "./rate-window.ts";

/** The field on HAProxy's 503 page that says "no connection came about", which m4 calls a 502. */
export const unreachableMark = "X-Cell-Unreachable";

/** The stick table that counts the requests under way at each placement. */
export const placesTable = "places";

/** Reads a map, as the last converter of an expression. */
export type MapReader = (file: MapFile) => string;

const allowedMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

const found = (name: string) => `{ var(txn.${name}) -m found }`;

/** What is refused before anything is decided from the request, as in m4's `request-head.ts`. */
function validation(): readonly string[] {
  const target = "capture.req.uri";
  return [
    "http-request set-var(txn.id) unique-id",
    "http-request set-var(txn.id) req.fhdr(x-request-id) if { req.fhdr_cnt(x-request-id) eq 1 } { req.fhdr(x-request-id) -m reg ^[A-Za-z0-9._-]{1,128}$ }",
    refuse("connect-not-supported", "METH_CONNECT"),
    refuse("method-not-allowed", "METH_TRACE", { fields: { Allow: allowedMethods } }),
    refuse("expectation-failed", "{ req.fhdr_cnt(expect) gt 0 } !{ req.fhdr(expect) -i 100-continue }"),
    refuse("ambiguous-host", "{ req.fhdr_cnt(host) gt 1 }"),
    refuse("ambiguous-host", "HTTP_1.1 { req.fhdr_cnt(host) eq 0 }"),
    refuse("ambiguous-host", `{ req.fhdr(host) -m reg ${quoted("[^-._~%!$&'()*+;=:\\[\\]0-9A-Za-z]")} }`),
    refuse("unsupported-target", `{ ${target} -m sub '#' }`),
    refuse("target-not-supported", `{ ${target} -m str * }`),
    `http-request set-uri %[pathq] if { ${target} -m reg -i ^https?:// }`,
    // `fhdr` and not `hdr`: a comma is a part of the key.
    "http-request set-var(txn.key) req.fhdr(x-routing-key,1)",
    refuse("missing-routing-key", "!{ var(txn.key),length gt 0 } { req.fhdr_cnt(x-routing-key) le 1 }"),
    // Each repetition is compared with the first.
    refuse("ambiguous-routing-key", "{ req.fhdr(x-routing-key),strcmp(txn.key) lt 0 }"),
    refuse("ambiguous-routing-key", "{ req.fhdr(x-routing-key),strcmp(txn.key) gt 0 }"),
    refuse("missing-routing-key", "!{ var(txn.key),length gt 0 }"),
    refuse("routing-key-too-long", `{ var(txn.key),length gt ${maxRoutingKeyBytes} }`),
  ];
}

/** One look-up in memory. The reason is `default` where the key is not listed, else the placement's kind. */
function lookUp(map: MapReader): readonly string[] {
  return [
    "http-request set-var(txn.hex) var(txn.key),hex",
    `http-request set-var(txn.placement) var(txn.hex),${map("keys.map")}`,
    `http-request set-var(txn.reason) var(txn.placement),${map("kinds.map")}`,
    `http-request set-var(txn.reason) str(default) if !${found("placement")}`,
    `http-request set-var(txn.placement) str(${defaultEntry}),${map("default.map")} if !${found("placement")}`,
    "http-request set-var(txn.served) var(txn.placement)",
  ];
}

/** Counts accepted requests only: with the refused ones counted, a flood would keep its own key shut for good. */
function rateRules(map: MapReader, periods: readonly number[]): readonly string[] {
  if (periods.length === 0) return [];
  const rules = (counter: number, id: string, rate: string) => [
    ...periods.map(
      (periodMs) =>
        `http-request track-sc${counter} var(txn.${id}) table ${rateTable(periodMs)} if { var(txn.${rate}),field(2,:) -m str ${periodMs} }`,
    ),
    `http-request set-var(txn.most) var(txn.${rate}),field(1,:)`,
    refuse("rate-limited", `${found(rate)} { sc_gpc0_rate(${counter}),sub(txn.most) ge 0 }`, {
      retryAfter: `%[var(txn.${rate}),field(3,:)]`,
    }),
    `http-request sc-inc-gpc0(${counter}) if ${found(rate)}`,
  ];
  const isUnlisted = `!${found("krate")} { var(txn.reason) -m str default }`;
  return [
    "http-request set-var(txn.kid) str(k:),concat(,txn.hex,)",
    `http-request set-var(txn.krate) var(txn.kid),${map("rates.map")}`,
    // The keys that nobody listed share one counter: inventing keys fills no memory.
    `http-request set-var(txn.kid) str(${unlistedEntry}) if ${isUnlisted}`,
    `http-request set-var(txn.krate) str(${unlistedEntry}),${map("rates.map")} if ${isUnlisted}`,
    ...rules(0, "kid", "krate"),
    "http-request set-var(txn.pid) str(p:),concat(,txn.placement,)",
    `http-request set-var(txn.prate) var(txn.pid),${map("rates.map")}`,
    ...rules(1, "pid", "prate"),
  ];
}

/** A request counts after it has been let in, until it has ended, whoever serves it. */
function concurrencyRules(map: MapReader): readonly string[] {
  return [
    `http-request set-var(txn.places) var(txn.placement),${map("places.map")}`,
    refuse(
      "overloaded",
      `${found("places")} { var(txn.placement),table_conn_cur(${placesTable}),sub(txn.places) ge 0 }`,
      { retryAfter: 1 },
    ),
    `http-request track-sc2 var(txn.placement) table ${placesTable} if ${found("places")}`,
  ];
}

/** Fields about one connection, and the router's own in all spellings that a CGI cell could mistake for them. */
const stopsHere =
  "keep-alive|proxy-connection|te|upgrade|http2-settings|proxy-authenticate|proxy-authorization";
const ownTowardsCell = "routed[-_]to|route[-_]reason|forwarded[-_]host|forwarded[-_]proto";
const lookAlikes =
  "x_routing[-_]key|x-routing_key|x_request[-_]id|x-request_id|x_forwarded[-_]for|x-forwarded_for";

function towardsCell(): readonly string[] {
  return [
    `http-request del-header ^(${stopsHere})$ -m reg`,
    `http-request del-header ^x[-_](${ownTowardsCell})$ -m reg`,
    `http-request del-header ^(${lookAlikes})$ -m reg`,
    "http-request set-header X-Routing-Key %[var(txn.key)]",
    "http-request set-header X-Request-Id %[var(txn.id)]",
    "http-request set-header X-Forwarded-Proto http",
    "http-request set-header X-Forwarded-Host %[req.fhdr(host)] if { req.fhdr_cnt(host) gt 0 }",
    "http-request set-header Host cell if { req.fhdr_cnt(host) eq 0 }",
    "http-request add-header Via '%[req.ver] cell-router'",
    "option forwardfor",
  ];
}

function towardsClient(): readonly string[] {
  const owned = `x-routed-to|x-route-reason|x-failover-from|x-failover-reason|x-retry-count|${unreachableMark.toLowerCase()}`;
  return [
    // Of a cell's response only; what HAProxy says itself does not pass here.
    `http-response del-header ^(keep-alive|proxy-connection|upgrade|${owned})$ -m reg`,
    // What the parser refused has met no rule.
    `http-after-response set-var(txn.id) unique-id if !${found("id")}`,
    "http-after-response set-header X-Request-Id %[var(txn.id)]",
    `http-after-response set-header X-Routed-To %[var(txn.served)] if ${found("served")}`,
    `http-after-response set-header X-Route-Reason %[var(txn.reason)] if ${found("served")}`,
    `http-after-response set-header X-Failover-From %[var(txn.placement)] if ${found("failover")}`,
    `http-after-response set-header X-Failover-Reason %[var(txn.failover)] if ${found("failover")}`,
    `http-after-response set-status 502 reason 'Bad Gateway' if { res.hdr_cnt(${unreachableMark}) gt 0 }`,
    `http-after-response del-header ${unreachableMark}`,
  ];
}

/** One JSON line per request. `json(utf8s)`: a client must not be able to end a string. */
const logFields = {
  event: '"request"',
  time: '"%[date,utime(%Y-%m-%dT%H:%M:%SZ)]"',
  requestId: '"%[var(txn.id),json(utf8s)]"',
  method: '"%[capture.req.method,json(utf8s)]"',
  path: '"%[capture.req.uri,json(utf8s)]"',
  routingKey: '"%[var(txn.key),json(utf8s)]"',
  placement: '"%[var(txn.placement)]"',
  reason: '"%[var(txn.reason)]"',
  servedBy: '"%[var(txn.served)]"',
  upstream: '"http://%si:%sp"',
  status: "%ST",
  durationMs: "%Ta",
  bytesIn: "%U",
  bytesOut: "%B",
  retries: "%rc",
  ended: '"%ts"',
} as const;

export interface FrontendOptions {
  readonly bind: string;
  readonly map: MapReader;
  readonly ratePeriodsMs: readonly number[];
}

export function frontend({ bind, map, ratePeriodsMs }: FrontendOptions): readonly string[] {
  const log = Object.entries(logFields).map(([name, value]) => `"${name}":${value}`);
  return [
    "frontend clients",
    `bind ${bind}`,
    "unique-id-format %[uuid()]",
    `log-format ${quoted(`{${log.join(",")}}`)}`,
    ...validation(),
    ...lookUp(map),
    ...rateRules(map, ratePeriodsMs),
    ...concurrencyRules(map),
    ...towardsCell(),
    ...towardsClient(),
    // Without a default backend: a placement that has none leads to 503, never to somebody else's cell.
    "use_backend p_%[var(txn.placement)]",
  ];
}
