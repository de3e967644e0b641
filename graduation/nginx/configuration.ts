// A routing table as a configuration of nginx 1.22: one listener, one location, and what the table says as maps, limit zones and
// upstream groups. Pure text; starting nginx is left to `nginx-process.ts`.

import type { RoutingTable } from "../../stages/m4/src/routing-table.ts";
import { keyMaps, mapHashSettings, numbered } from "./keys.ts";
import { limitLines, retryAfterLines } from "./limits.ts";
import { errorPages, problemLocations, problemMaps } from "./problems.ts";
import { addressOf, ejectionSeconds, groupName, servedMap, upstreamGroups } from "./upstreams.ts";

export interface NginxOptions {
  /** Where clients connect, such as `127.0.0.1:8080`. */
  readonly listen: string;
  /** A folder of its own: process id, access log, the socket below. */
  readonly directory: string;
  /** Told on `${directory}/state.sock`, so that whoever reloads can see which configuration serves. */
  readonly generation: number;
  /** @default 1 */
  readonly workers?: number;
  /** How long an old worker may finish what it has begun after a reload. @default "60s" */
  readonly shutdownTimeout?: string;
}

/** @throws UnsupportedTableError for the few valid tables that nginx cannot serve truthfully */
export function nginxConfiguration(table: RoutingTable, options: NginxOptions): string {
  const { listen, directory, generation, workers = 1, shutdownTimeout = "60s" } = options;
  const numbers = numbered(table);
  const limits = limitLines(numbers);
  const http = [
    ...processWide(directory),
    ...mapHashSettings(table),
    'geo $dollar { default "$"; }',
    ...requestMaps,
    ...keyMaps(numbers, limits.limitOf),
    ...limits.http,
    ...retryAfterLines(numbers),
    "map $placement_number $cell_authority {",
    ...numbers.placements.map((each, number) => `  ${number} ${addressOf(each)};`),
    "}",
    "map $placement_number $ejection_wait {",
    "  default 1;",
    ...numbers.placements.map((each, number) => `  ${number} ${ejectionSeconds(each) ?? 1};`),
    "}",
    ...servedMap(numbers),
    ...outcomeMaps,
    ...problemMaps,
    ...upstreamGroups(numbers),
    ...block("server", serverLines(listen, limits.location)),
    ...block("server", [
      `listen unix:${directory}/state.sock;`,
      "access_log off;",
      `location = /generation { return 200 "${generation}"; }`,
      "location = /status { stub_status; }",
    ]),
  ];
  return `${[
    `# Table ${JSON.stringify(table.version).replaceAll(/[\u007f-\u009f\u2028\u2029]/g, "?")}, generated. A change is a new file and a reload.`,
    `worker_processes ${workers};`,
    `worker_shutdown_timeout ${shutdownTimeout};`,
    "daemon off;",
    `pid ${directory}/nginx.pid;`,
    "error_log stderr warn;",
    ...block("events", ["worker_connections 8192;"]),
    ...block("http", http),
  ].join("\n")}\n`;
}

function processWide(directory: string): string[] {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return [
    ...temporary.map((name) => `${name}_temp_path ${directory}/${name};`),
    "server_tokens off;",
    "variables_hash_max_size 4096;",
    "variables_hash_bucket_size 128;",
    // escape=json: whatever a client sends cannot end a string.
    `log_format json escape=json '{"event":"request","time":"$time_iso8601","requestId":"$safe_request_id","method":"$request_method",'`,
    `  '"path":"$request_uri","routingKey":"$routing_key","placement":"$placement","reason":"$route_reason","upstream":"$upstream_addr",'`,
    `  '"servedBy":"$served_by","status":$status,"durationMs":$duration_ms,"bytesIn":$request_length,"bytesOut":$body_bytes_sent,"outcome":"$outcome"}';`,
    `access_log ${directory}/access.log json;`,
    "default_type application/problem+json;",
    "client_max_body_size 0;",
    "client_header_buffer_size 4k;",
    "large_client_header_buffers 4 16k;",
    "client_header_timeout 10s;",
    "client_body_timeout 300s;",
    "send_timeout 75s;",
    "keepalive_timeout 65s;",
    "keepalive_requests 1000000;",
    "underscores_in_headers on;",
    "ignore_invalid_headers off;",
    "proxy_headers_hash_max_size 2048;",
    "proxy_headers_hash_bucket_size 128;",
    "limit_req_status 429;",
    "limit_conn_status 503;",
    "limit_req_log_level info;",
    "limit_conn_log_level info;",
  ];
}

/** What is read from a request, whatever the table says. */
const requestMaps = [
  // HTTP trims tabs too, nginx only spaces.
  String.raw`map $http_x_routing_key $routing_key { default ""; "~^[ \t]*(?<trimmed_key>[^ \t](?:.*[^ \t])?)[ \t]*\z" $trimmed_key; }`,
  String.raw`map $http_x_request_id $safe_request_id { default $request_id; "~^[A-Za-z0-9._-]{1,128}\z" $http_x_request_id; }`,
  // In absolute form the target's authority is the host, whatever the field says.
  'map $request $asked_host { default $http_host; "~^[^ ]+ http://(?<authority>[^/?# ]+)" $authority; }',
  'map $server_protocol $received_by { default "1.1 cell-router"; "HTTP/1.0" "1.0 cell-router"; }',
  // https://www.rfc-editor.org/rfc/rfc3986#section-3.2.2: a host and a port, and nothing else.
  String.raw`map $asked_host $host_fault { default ""; "~[^-._~%!$&'()*+;=:\[\]0-9A-Za-z]" malformed-request; }`,
  'map $key_fault $request_fault { default $key_fault; "" $host_fault; }',
  'map "$server_protocol $http_expect" $expectation_fault { default 1; "~*^http/[^ ]+ (100-continue)?$" ""; "~^HTTP/1.0" ""; }',
  // nginx repeats every method but POST, PATCH and LOCK, and a small body too. This router: see retry-policy.ts of m4.
  String.raw`map "$request_method $content_length$http_transfer_encoding" $sent_once { default 1; "~^(GET|HEAD|OPTIONS|PUT|DELETE) 0?\z" ""; "~^(POST|PATCH) " ""; }`,
  'map $http_via $via { default "$http_via, $received_by"; "" $received_by; }',
];

/** What became of a request. The variables exist only once a cell has answered, so nothing may read them earlier. */
const outcomeMaps = [
  // Nobody has routed what was refused for its key.
  'map $request_fault $told_placement { default ""; "" $served_by; }',
  'map $request_fault $told_reason { default ""; "" $route_reason; }',
  String.raw`map "$served_by $placement" $failover_from { default $placement; "~^(?<same_placement>[^ ]+) \k<same_placement>\z" ""; }`,
  // With one address, the first one was not even tried.
  String.raw`map "$failover_from $upstream_addr" $failover_reason { default connect-failed; "~^ " ""; "~^[^ ]+ [^ ,]+\z" circuit-open; }`,
  String.raw`map $upstream_addr $retry_count { default ""; "~^(?<tried>[^ ,]+), \k<tried>, \k<tried>(,|\z)" 2; "~^(?<tried_once>[^ ,]+), \k<tried_once>(,|\z)" 1; }`,
  String.raw`map $request_time $duration_ms { default 0; "~^0\.0*(?<milliseconds>[1-9]\d*)\z" $milliseconds; "~^(?<seconds>[1-9]\d*)\.(?<rest>\d+)\z" $seconds$rest; }`,
  // Of a response that was cut, nginx does not say which side cut it.
  String.raw`map "$status $request_completion" $outcome { default cut; "~ OK\z" complete; "~^499" client-aborted; "~^50[24]" upstream-failed; }`,
];

/** Fields of one connection, and fields that this hop writes: an empty value removes the client's own. */
const strippedUpstream = [
  "Keep-Alive",
  "Proxy-Connection",
  "TE",
  "Upgrade",
  "Expect",
  "HTTP2-Settings",
  "Proxy-Authenticate",
  "Proxy-Authorization",
  "X-Routed-To",
  "X-Route-Reason",
  // To a cell that reads CGI's names, X_Routing_Key is the same field.
  ...["X-Routing-Key", "X-Request-Id", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"].flatMap(
    lookAlikes,
  ),
  ...["X-Routed-To", "X-Route-Reason"].flatMap(lookAlikes),
];

/** Every spelling of a name with an underscore for at least one of its dashes. */
function lookAlikes(name: string): string[] {
  const spellings = name
    .split("-")
    .reduce<string[]>((begun, word) => begun.flatMap((each) => [`${each}-${word}`, `${each}_${word}`]), [""])
    .map((each) => each.slice(1));
  return [...new Set(spellings)].filter((each) => each !== name);
}

/** Fields by which a cell could steer nginx itself. They pass to the client as any other. */
const steering = ["Redirect", "Expires", "Limit-Rate", "Buffering", "Charset"].map(
  (name) => `X-Accel-${name}`,
);

const owned = [
  "X-Request-Id",
  "X-Routed-To",
  "X-Route-Reason",
  "X-Failover-From",
  "X-Failover-Reason",
  "X-Retry-Count",
];

function serverLines(listen: string, limits: readonly string[]): string[] {
  const passOn = `proxy_pass http://${groupName("$placement_number")};`;
  return [
    `listen ${listen} backlog=1024;`,
    ...errorPages,
    "recursive_error_pages on;",
    'set $retry_after "";',
    'set $allow "";',
    'set $no_store "";',
    // A field with an empty value is not sent at all.
    "add_header X-Request-Id $safe_request_id always;",
    "add_header X-Routed-To $told_placement always;",
    "add_header X-Route-Reason $told_reason always;",
    "add_header X-Failover-From $failover_from always;",
    "add_header X-Failover-Reason $failover_reason always;",
    "add_header X-Retry-Count $retry_count always;",
    "add_header Retry-After $retry_after always;",
    "add_header Allow $allow always;",
    "add_header Cache-Control $no_store always;",
    ...limits,
    ...proxyLines,
    ...block("location /", [
      "if ($request_fault) { return 400; }",
      "if ($expectation_fault) { return 417; }",
      // The number means nothing to clients: it only leads to the location below.
      "error_page 418 = @once;",
      ...errorPages,
      "if ($sent_once) { return 418; }",
      passOn,
    ]),
    ...block("location @once", ["proxy_next_upstream off;", passOn]),
    ...problemLocations,
  ];
}

const proxyLines = [
  "proxy_http_version 1.1;",
  'proxy_set_header Connection "";',
  "proxy_set_header Host $cell_authority;",
  "proxy_set_header X-Routing-Key $routing_key;",
  "proxy_set_header X-Request-Id $safe_request_id;",
  "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
  "proxy_set_header X-Forwarded-Proto http;",
  "proxy_set_header X-Forwarded-Host $asked_host;",
  "proxy_set_header Via $via;",
  ...strippedUpstream.map((name) => `proxy_set_header ${name} "";`),
  ...owned.map((name) => `proxy_hide_header ${name};`),
  ...steering.map((name) => `proxy_pass_header ${name};`),
  `proxy_ignore_headers ${steering.join(" ")};`,
  // nginx would otherwise replace both by its own.
  "proxy_pass_header Date;",
  "proxy_pass_header Server;",
  "proxy_redirect off;",
  "proxy_request_buffering off;",
  "proxy_buffering off;",
  "proxy_max_temp_file_size 0;",
  "proxy_buffer_size 32k;",
  "proxy_buffers 4 32k;",
  "proxy_connect_timeout 5s;",
  // One timer for the response's head, which m1 gives 10 s, and for a silent body, which it gives 30 s.
  "proxy_read_timeout 30s;",
  "proxy_send_timeout 75s;",
  // Idempotent methods only, unless nothing was sent; how often depends on how many servers the group lists.
  "proxy_next_upstream error timeout invalid_header http_502 http_503 http_504;",
  "proxy_next_upstream_timeout 10s;",
  "proxy_socket_keepalive on;",
];

function block(name: string, lines: readonly string[]): string[] {
  return [`${name} {`, ...lines.map((line) => `  ${line}`), "}"];
}
