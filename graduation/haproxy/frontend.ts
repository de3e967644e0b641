// The frontend: what must hold before a request is routed, the look-up, the limits, and the fields that HAProxy writes. The
// order of the rules is that of m4's `proxy.ts`. Who serves is left to the placement's backend.

import type { MapFile } from "./maps.ts";
import { defaultEntry, unlistedEntry } from "./maps.ts";
import { quoted, refuse, refuseResponse } from "./pages.ts";
import { rateTable } from "./rate-window.ts";
import { allowedMethods, controlBytes, validation } from "./validation.ts";

/** The field on HAProxy's 503 page that says "no connection came about", which m4 calls a 502. */
export const unreachableMark = "X-Cell-Unreachable";

/** The stick table that counts the requests under way at each placement. */
export const placesTable = "places";

/** Reads a map, as the last converter of an expression. */
export type MapReader = (file: MapFile) => string;

const found = (name: string) => `{ var(txn.${name}) -m found }`;

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

/** An `OPTIONS` says how far it may go. https://www.rfc-editor.org/rfc/rfc9110#section-7.6.2 */
function maxForwards(): readonly string[] {
  const left =
    "METH_OPTIONS { req.fhdr_cnt(max-forwards) eq 1 } { req.fhdr(max-forwards) -m reg ^[0-9]{1,9}$ }";
  return [
    `http-request return status 204 hdr Allow ${quoted(allowedMethods)} if ${left} { req.hdr_val(max-forwards) eq 0 }`,
    `http-request set-header Max-Forwards %[req.hdr_val(max-forwards),sub(1)] if ${left}`,
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
  "connection|keep-alive|proxy-connection|te|upgrade|http2-settings|proxy-authenticate|proxy-authorization";
const ownTowardsCell = "routed[-_]to|route[-_]reason|forwarded[-_]host|forwarded[-_]proto";
const lookAlikes =
  "x_routing[-_]key|x-routing_key|x_request[-_]id|x-request_id|x_forwarded[-_]for|x-forwarded_for";

function towardsCell(): readonly string[] {
  return [
    `http-request del-header ^(${stopsHere})$ -m reg`,
    "http-request del-header Expect if HTTP_1.0",
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
    `http-response del-header ^(connection|keep-alive|proxy-connection|upgrade|${owned})$ -m reg`,
    refuseResponse("upstream-broken", "{ status lt 100 } or { status gt 999 }"),
    refuseResponse("upstream-broken", `{ res.hdrs -m reg ${controlBytes} }`),
    // What the parser refused has met no rule.
    `http-after-response set-var(txn.id) unique-id if !${found("id")}`,
    "http-after-response set-header X-Request-Id %[var(txn.id)]",
    `http-after-response set-header X-Routed-To %[var(txn.served)] if ${found("served")}`,
    `http-after-response set-header X-Route-Reason %[var(txn.reason)] if ${found("served")}`,
    `http-after-response set-header X-Failover-From %[var(txn.placement)] if ${found("failover")}`,
    `http-after-response set-header X-Failover-Reason %[var(txn.failover)] if ${found("failover")}`,
    // HAProxy writes `+1` where the last retry went to another server.
    `http-after-response set-header X-Retry-Count %[var(txn.retries),regsub(^[+],)] if ${found("retries")} !{ var(txn.retries) -m str 0 }`,
    `http-after-response set-status 502 reason 'Bad Gateway' if { res.hdr_cnt(${unreachableMark}) gt 0 }`,
    `http-after-response del-header ${unreachableMark}`,
    "http-after-response set-header Date %[date,http_date] if !{ res.hdr(date) -m found }",
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
    // `proto h1`: without it, HAProxy also speaks HTTP/2 to whoever begins so.
    `bind ${bind} proto h1`,
    "unique-id-format %[uuid()]",
    `log-format ${quoted(`{${log.join(",")}}`)}`,
    ...validation(),
    ...lookUp(map),
    ...maxForwards(),
    ...rateRules(map, ratePeriodsMs),
    ...concurrencyRules(map),
    ...towardsCell(),
    ...towardsClient(),
    // Without a default backend: a placement that has none leads to 503, never to somebody else's cell.
    "use_backend p_%[var(txn.placement)]",
  ];
}
