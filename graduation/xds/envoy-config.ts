// The routing table as Envoy's static bootstrap configuration, settings of m4 included. `README.md` beside it says what
// Envoy does otherwise.
//
//   npx tsx graduation/xds/envoy-config.ts stages/m4/routing.resilience.json > envoy.json
//
// Exit codes: 0 printed, 1 the file cannot be read, or holds no routing table.

import { readFileSync } from "node:fs";
import { runCommand, UsageError, wholeNumber } from "../../scripts/command-line.ts";
import { jsonIn } from "../../shared/testkit/json-text.ts";
import { parseRoutingTable } from "../../stages/m4/src/routing-table.ts";
import { clustersOf } from "./envoy-clusters.ts";
import { rateLimitFilter } from "./envoy-limits.ts";
import { virtualHostOf } from "./envoy-routes.ts";
import { bufferBytes, type Fields, type RoutingTable, socketAddress, typed } from "./envoy-values.ts";

/** Where Envoy listens. */
export interface Listeners {
  /** @default 8080 */
  readonly port?: number;
  /** @default 8082 */
  readonly adminPort?: number;
}

const host = "127.0.0.1";

export function envoyConfig(table: RoutingTable, { port = 8080, adminPort = 8082 }: Listeners = {}): Fields {
  const listener = listenerOf(table, port, { route_config: routeConfigOf(table) });
  return {
    ...bootstrapOf(adminPort),
    static_resources: { listeners: [listener], clusters: clustersOf(table) },
  };
}

/** What stands in the bootstrap whatever the table is. */
export function bootstrapOf(adminPort: number): Fields {
  return {
    node: { id: "router", cluster: "cell-routing" },
    admin: { address: socketAddress(host, adminPort) },
    layered_runtime: { layers: [{ name: "limits", static_layer: limits }] },
  };
}

/** "257 characters or more" is a larger program than Envoy's regular expressions may be unless told otherwise: 100. */
const limits = { re2: { max_program_size: { error_level: 1_000 } } };

/** The routes as they stand in the listener, or where it gets them from. */
type Routes = { readonly route_config: Fields } | { readonly rds: Fields };

export const routeTableName = "table";

export function routeConfigOf(table: RoutingTable): Fields {
  return { name: routeTableName, virtual_hosts: [virtualHostOf(table)] };
}

export function listenerOf(table: RoutingTable, port: number, routes: Routes): Fields {
  const manager = typed(
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    connectionManager(table, routes),
  );
  const filter = { name: "envoy.filters.network.http_connection_manager", typed_config: manager };
  return {
    name: "data",
    address: socketAddress(host, port),
    per_connection_buffer_limit_bytes: bufferBytes,
    filter_chains: [{ filters: [filter] }],
  };
}

// #region connection-manager
/** The times and headers of contract m1. */
function connectionManager(table: RoutingTable, routes: Routes): Fields {
  const limits = rateLimitFilter(table);
  const router = typed("envoy.extensions.filters.http.router.v3.Router", { suppress_envoy_headers: true });
  return {
    stat_prefix: "data",
    codec_type: "HTTP1",
    http_protocol_options: {
      accept_http_10: true,
      default_host_for_http_10: "cell-routing",
      enable_trailers: true,
      // An `Upgrade` is left out and the request is served. Else Envoy refuses it with 403.
      ignore_http_11_upgrade: [{ safe_regex: { regex: ".*" } }],
    },
    ...routes,
    http_filters: [
      ...(limits === undefined ? [] : [limits]),
      { name: "envoy.filters.http.router", typed_config: router },
    ],
    common_http_protocol_options: { idle_timeout: "65s" },
    request_headers_timeout: "10s",
    stream_idle_timeout: "30s",
    drain_timeout: "10s",
    use_remote_address: true,
    via: "1.1 envoy",
    server_header_transformation: "PASS_THROUGH",
    preserve_external_request_id: true,
    always_set_request_id_in_response: true,
    // Method, path and query pass unchanged.
    normalize_path: false,
    merge_slashes: false,
    local_reply_config: { mappers: [badGateway], body_format: problem },
    access_log: [accessLog],
  };
}
// #endregion connection-manager

/** Envoy's own responses. The flags are codes of two or three letters, so nothing internal leaks. */
const problem: Fields = {
  content_type: "application/problem+json",
  json_format: {
    type: "about:blank",
    title: "The router's own response",
    detail: "The code is made of Envoy's response flags.",
    status: "%RESPONSE_CODE%",
    code: "%RESPONSE_FLAGS%",
    requestId: "%REQ(X-REQUEST-ID)%",
  },
};

/** Envoy says 503 where a cell cannot be reached or breaks off before its response: 502 in contract m1. */
const badGateway: Fields = {
  filter: { response_flag_filter: { flags: ["UF", "UC", "UR", "UPE"] } },
  status_code: 502,
};

const accessLog: Fields = {
  name: "envoy.access_loggers.stdout",
  typed_config: typed("envoy.extensions.access_loggers.stream.v3.StdoutAccessLog", {
    log_format: {
      json_format: {
        time: "%START_TIME%",
        requestId: "%REQ(X-REQUEST-ID)%",
        method: "%REQ(:METHOD)%",
        path: "%REQ(:PATH)%",
        routingKey: "%REQ(X-ROUTING-KEY)%",
        placement: "%UPSTREAM_METADATA(cell:placement)%",
        upstream: "%UPSTREAM_HOST%",
        status: "%RESPONSE_CODE%",
        durationMs: "%DURATION%",
        outcome: "%RESPONSE_FLAGS%",
      },
    },
  }),
};

/** @throws UsageError that names every fault of the table */
export function envoyConfigFromJson(text: string, listeners?: Listeners): Fields {
  const decoded = jsonIn(text);
  const result = parseRoutingTable(decoded);
  if (!result.ok) throw new UsageError(`not a routing table:\n${result.faults.join("\n")}`);
  return envoyConfig(result.table, listeners);
}

const usage = `Usage: npx tsx graduation/xds/envoy-config.ts FILE [flags]
  --port N        where Envoy listens for clients (8080)
  --admin-port N  where it listens for those who operate it (8082)
  --help          this text`;

const options = { port: { type: "string" }, "admin-port": { type: "string" } } as const;

if (import.meta.main)
  await runCommand({ name: "envoy-config", usage, options }, async (values, [file, ...others]) => {
    if (file === undefined || others.length > 0) throw new UsageError("name one routing file");
    const config = envoyConfigFromJson(readText(file), {
      port: wholeNumber("--port", values.port ?? "8080", 0, 65_535),
      adminPort: wholeNumber("--admin-port", values["admin-port"] ?? "8082", 0, 65_535),
    });
    console.log(JSON.stringify(config, null, 2));
    return 0;
  });

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${(error as Error).message}`);
  }
}
