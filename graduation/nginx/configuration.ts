// A routing table as a configuration of nginx 1.22: one listener, one location, and what the table says as maps, limit zones and
// upstream groups. Pure text; starting nginx is left to `nginx-process.ts`.

import type { RoutingTable } from "../../stages/m4/src/routing-table.ts";
import { keyMaps, mapHashSettings, numbered } from "./keys.ts";
import { limitLines, retryAfterLines } from "./limits.ts";
import { outcomeMaps, proxyLines, requestMaps } from "./passing-on.ts";
import { errorPages, problemLocations, problemMaps } from "./problems.ts";
import { quoted } from "./syntax.ts";
import { ejectionSeconds, groupName, servedMap, serverAddress, upstreamGroups } from "./upstreams.ts";

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
    ...numbers.placements.map((each, number) => `  ${number} ${serverAddress(each)};`),
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
      `listen ${quoted(`unix:${directory}/state.sock`)};`,
      "access_log off;",
      `location = /generation { return 200 "${generation}"; }`,
    ]),
  ];
  return `${[
    `# Table ${JSON.stringify(table.version).replaceAll(/[\u007f-\u009f\u2028\u2029]/g, "?")}, generated. A change is a new file and a reload.`,
    `worker_processes ${workers};`,
    `worker_shutdown_timeout ${shutdownTimeout};`,
    "daemon off;",
    `pid ${quoted(`${directory}/nginx.pid`)};`,
    "error_log stderr warn;",
    ...block("events", ["worker_connections 8192;"]),
    ...block("http", http),
  ].join("\n")}\n`;
}

function processWide(directory: string): string[] {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return [
    ...temporary.map((name) => `${name}_temp_path ${quoted(`${directory}/${name}`)};`),
    "server_tokens off;",
    "variables_hash_max_size 4096;",
    "variables_hash_bucket_size 128;",
    // escape=json: whatever a client sends cannot end a string.
    `log_format json escape=json '{"event":"request","time":"$time_iso8601","requestId":"$safe_request_id","method":"$request_method",'`,
    `  '"path":"$request_uri","routingKey":"$routing_key","placement":"$placement","reason":"$route_reason","upstream":"$upstream_addr",'`,
    `  '"servedBy":"$served_by","status":$status,"durationMs":$duration_ms,"bytesIn":$request_length,"bytesOut":$body_bytes_sent,"outcome":"$outcome"}';`,
    `access_log ${quoted(`${directory}/access.log`)} json;`,
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

function block(name: string, lines: readonly string[]): string[] {
  return [`${name} {`, ...lines.map((line) => `  ${line}`), "}"];
}
