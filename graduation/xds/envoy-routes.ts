// Routing as Envoy's virtual host: a hash table from routing key to route, and what happens to every other request.

import { route } from "../../stages/m4/src/routing.ts";
import { maxRoutingKeyBytes } from "../../stages/m4/src/routing-table.ts";
import { routeMetadata } from "./envoy-limits.ts";
import {
  chainName,
  clusterName,
  duration,
  type Fields,
  type Placement,
  type RoutingTable,
  typed,
} from "./envoy-values.ts";

const keyHeader = "x-routing-key";

// #region matcher
/**
 * A list of `routes` is read from top to bottom for each request, so its cost grows with the number of tenants. The matcher
 * tree looks the key up in a map.
 * @see https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/route_matching
 */
export function virtualHostOf(table: RoutingTable): Fields {
  const keys = new Set([...table.placementByKey.keys(), ...(table.keyLimits?.keys() ?? [])]);
  const listed = [...keys].map((key) => [key, { action: actionOf(routesOf(table, key)) }]);
  const unlisted = unlistedMatcher([...refusals(), ...routesOf(table, undefined)]);
  const matcher_tree = { input, exact_match_map: { map: Object.fromEntries(listed) } };
  return {
    name: "cells",
    domains: ["*"],
    // Nobody but the proxy says where a request goes, and which host the client asked for.
    request_headers_to_remove: ["x-routed-to", "x-route-reason"],
    request_headers_to_add: [overwrite("x-forwarded-host", "%REQ(:AUTHORITY)%")],
    // The host that served names itself; nothing that a cell sends can stand in its place.
    response_headers_to_add: [overwrite("x-routed-to", "%UPSTREAM_METADATA(cell:placement)%")],
    // An empty map is not a valid one.
    matcher: listed.length === 0 ? unlisted : { matcher_tree, on_no_match: { matcher: unlisted } },
  };
}

/** The key, as matchers see it. */
const input: Fields = {
  name: "routing-key",
  typed_config: typed("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", { header_name: keyHeader }),
};

/**
 * Refuses a repeated key before the routes are read. A matcher's input joins repeated fields with a comma; `headers` of a route
 * looks at each field on its own, and would find nothing. The price: an unlisted key cannot have a comma. A listed one can.
 */
function unlistedMatcher(routes: readonly Fields[]): Fields {
  const predicate = { single_predicate: { input, value_match: { contains: "," } } };
  const repeated = actionOf([{ match: { prefix: "/" }, direct_response: { status: 400 } }]);
  return {
    matcher_list: { matchers: [{ predicate, on_match: { action: repeated } }] },
    on_no_match: { action: actionOf(routes) },
  };
}

function actionOf(routes: readonly Fields[]): Fields {
  const [only] = routes;
  const isOne = routes.length === 1 && only !== undefined;
  const typed_config = isOne
    ? typed("envoy.config.route.v3.Route", only)
    : typed("envoy.config.route.v3.RouteList", { routes });
  return { name: "route", typed_config };
}
// #endregion matcher

/** In order: what contract m1 refuses with 400. The first holds for a missing and for an empty header. */
function refusals(): Fields[] {
  const faults = [
    { string_match: { exact: "" }, treat_missing_header_as_empty: true },
    // Counted in characters: Envoy's regular expressions read UTF-8.
    { string_match: { safe_regex: { regex: `.{${maxRoutingKeyBytes + 1},}` } } },
  ];
  return faults.map((fault) => ({
    match: { prefix: "/", headers: [{ name: keyHeader, ...fault }] },
    direct_response: { status: 400 },
  }));
}

// #region routes
/** The routes of one key, or of all keys that the table does not name. With retries there are two: by method. */
function routesOf(table: RoutingTable, key: string | undefined): Fields[] {
  const { placement, reason } =
    key === undefined ? { placement: table.defaultPlacement, reason: "default" } : route(table, key);
  const action = {
    cluster: hasChain(placement) ? chainName(table, placement) : clusterName(placement),
    // No limit for a whole response: bodies stream. Silence is limited by `stream_idle_timeout`.
    timeout: "0s",
    auto_host_rewrite: true,
  };
  const shared = {
    metadata: routeMetadata(placement.name, key),
    response_headers_to_add: [overwrite("x-route-reason", reason)],
  };
  const { retries } = placement;
  if (retries === undefined || retries.maxRetries === 0)
    return [{ match: { prefix: "/" }, route: action, ...shared }];
  const idempotent = {
    name: ":method",
    string_match: { safe_regex: { regex: "GET|HEAD|OPTIONS|PUT|DELETE" } },
  };
  return [
    {
      match: { prefix: "/", headers: [idempotent] },
      route: { ...action, retry_policy: retryPolicy(placement, "connect-failure,reset,gateway-error") },
      ...shared,
    },
    {
      // A second POST may charge twice. Where no connection came about, nothing was sent.
      match: { prefix: "/" },
      route: { ...action, retry_policy: retryPolicy(placement, "connect-failure") },
      ...shared,
    },
  ];
}
// #endregion routes

function retryPolicy(placement: Placement, retry_on: string): Fields {
  const { maxRetries = 0, baseMs = 1, capMs = baseMs } = placement.retries ?? {};
  // A retry goes to the next cluster of the chain, not to the one that has just failed.
  const next = typed("envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig", {
    update_frequency: 1,
  });
  const retry_priority = { name: "envoy.retry_priorities.previous_priorities", typed_config: next };
  return {
    retry_on,
    num_retries: maxRetries,
    retry_back_off: { base_interval: duration(baseMs), max_interval: duration(Math.max(baseMs, capMs)) },
    ...(hasChain(placement) ? { retry_priority } : {}),
  };
}

function hasChain({ fallback }: Placement): boolean {
  return fallback !== undefined && fallback.length > 0;
}

function overwrite(key: string, value: string): Fields {
  return { header: { key, value }, append_action: "OVERWRITE_IF_EXISTS_OR_ADD" };
}
