// Placements as Envoy's clusters: where a cell is, how its health is watched, when it is ejected, how much it may get, and who
// serves in its stead.

import { isIP } from "node:net";
import { fallbackChain } from "../../stages/m4/src/failover.ts";
import {
  type CircuitBreakerSettings,
  DEFAULT_RETRY_BUDGET,
  type HealthSettings,
  type RetryBudgetSettings,
} from "../../stages/m4/src/resilience-settings.ts";
import { addressOf } from "../address.ts";
import {
  bufferBytes,
  chainName,
  clusterName,
  duration,
  type Fields,
  type Placement,
  type RoutingTable,
  socketAddress,
  typed,
  unlimited,
} from "./envoy-values.ts";

/** Contract m1: 504 when a connection takes longer. */
const connectTimeoutMs = 5_000;

/** One cluster a placement, and one more for each that has a fallback chain. */
export function clustersOf(table: RoutingTable): Fields[] {
  return [...table.placements.values()].flatMap((placement) => {
    const chain = [...fallbackChain(table, placement)];
    const own = clusterOf(placement, table.retryBudget ?? DEFAULT_RETRY_BUDGET);
    return chain.length === 0 ? [own] : [own, chainOf(chainName(table, placement), [placement, ...chain])];
  });
}

// #region cluster
function clusterOf(placement: Placement, budget: RetryBudgetSettings): Fields {
  const { health, circuitBreaker, concurrencyLimit } = placement;
  const name = clusterName(placement);
  const { host } = addressOf(placement.url);
  return {
    name,
    type: isIP(host) === 0 ? "STRICT_DNS" : "STATIC",
    connect_timeout: duration(connectTimeoutMs),
    per_connection_buffer_limit_bytes: bufferBytes,
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [hostOf(placement)] }],
    },
    // Else Envoy panics once half of a cluster is unhealthy, which one of one is, and sends requests there all the same.
    common_lb_config: { healthy_panic_threshold: { value: 0 } },
    ...(health === undefined ? {} : { health_checks: [healthCheckOf(health)] }),
    ...(circuitBreaker === undefined ? {} : { outlier_detection: outlierDetectionOf(circuitBreaker) }),
    circuit_breakers: { thresholds: [thresholdsOf(concurrencyLimit ?? unlimited, budget)] },
  };
}

function hostOf(placement: Placement): Fields {
  const { host, port } = addressOf(placement.url);
  return {
    endpoint: { address: socketAddress(host, port), hostname: host },
    // `X-Routed-To` is read from the host that served, so it is true after a failover too.
    metadata: { filter_metadata: { cell: { placement: placement.name } } },
  };
}
// #endregion cluster

function healthCheckOf({ path, intervalMs, timeoutMs, rise, fall }: HealthSettings): Fields {
  return {
    timeout: duration(timeoutMs),
    interval: duration(intervalMs),
    // Left out, a cluster without traffic is looked at once a minute.
    no_traffic_interval: duration(intervalMs),
    interval_jitter_percent: 10,
    healthy_threshold: rise,
    unhealthy_threshold: fall,
    http_health_check: { path, expected_statuses: [{ start: 200, end: 300 }] },
  };
}

// #region outlier-detection
/** The nearest to a circuit breaker that looks at responses. It has no half-open state: after the time, all requests go there. */
function outlierDetectionOf(breaker: CircuitBreakerSettings): Fields {
  return {
    consecutive_gateway_failure: breaker.consecutiveFailures,
    // 0 unless said: it would count, and never eject.
    enforcing_consecutive_gateway_failure: 100,
    // A 500 is the application's own, and no failure of the cell.
    enforcing_consecutive_5xx: 0,
    enforcing_success_rate: 0,
    failure_percentage_threshold: Math.max(1, Math.round(breaker.failureRatio * 100)),
    enforcing_failure_percentage: 100,
    failure_percentage_minimum_hosts: 1,
    failure_percentage_request_volume: breaker.minimumRequests,
    // Both the window of the ratio and how often Envoy looks whether an ejection is over.
    interval: duration(Math.min(breaker.windowMs, breaker.waitMs)),
    base_ejection_time: duration(breaker.waitMs),
    max_ejection_time: duration(Math.max(breaker.waitMs, breaker.maxWaitMs)),
    // 10 unless said: the only host of a cluster would hardly ever be ejected.
    max_ejection_percent: 100,
    // A probe on /health says nothing about the requests that failed.
    successful_active_health_check_uneject_host: false,
  };
}
// #endregion outlier-detection

/** Envoy's "circuit breakers" are limits: ours by another name is `concurrencyLimit`. */
function thresholdsOf(limit: number, { ratio, minPerSecond }: RetryBudgetSettings): Fields {
  return {
    max_requests: limit,
    max_connections: limit,
    max_pending_requests: limit,
    max_retries: unlimited,
    retry_budget: { budget_percent: { value: ratio * 100 }, min_retry_concurrency: Math.ceil(minPerSecond) },
  };
}

/** The primary first, then its chain: the next one serves once nobody before it is healthy. No dedicated cell is ever in a chain. */
function chainOf(name: string, members: readonly Placement[]): Fields {
  return {
    name,
    connect_timeout: duration(connectTimeoutMs),
    lb_policy: "CLUSTER_PROVIDED",
    cluster_type: {
      name: "envoy.clusters.aggregate",
      typed_config: typed("envoy.extensions.clusters.aggregate.v3.ClusterConfig", {
        clusters: members.map(clusterName),
      }),
    },
  };
}
