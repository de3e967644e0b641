// The few forms that values take in an Envoy configuration written as JSON.

import { fallbackChain } from "../../stages/m4/src/failover.ts";
import type { Placement, RoutingTable } from "../../stages/m4/src/routing-table.ts";
import { addressOf } from "../address.ts";

export type { Placement, RoutingTable };

/** What stands in the configuration: protobuf's JSON form. */
export type Fields = Readonly<Record<string, unknown>>;

/**
 * A message behind a name, as extensions take it. Envoy finds its schema by `@type`.
 * @see https://protobuf.dev/programming-guides/json/#any
 */
export function typed(type: string, fields: Fields): Fields {
  return { "@type": `type.googleapis.com/${type}`, ...fields };
}

/** A duration in seconds, as protobuf writes it: to the nanosecond, without an exponent. */
export function duration(milliseconds: number): string {
  const text = (milliseconds / 1000).toFixed(9).replace(/\.?0+$/, "");
  return `${text}s`;
}

export function socketAddress(host: string, port: number): Fields {
  return { socket_address: { address: host, port_value: port } };
}

/**
 * The address is a part of the name: clusters change before routes do, so the routes of the old table must go on leading to
 * the old addresses. With the placement's name alone, a cell that changes hands would serve its former tenant for a moment.
 */
export function clusterName({ name, url }: Placement): string {
  const { host, port } = addressOf(url);
  return `${name}@${host}:${port}`;
}

/** Whose traffic may end in another placement: the cluster of the whole chain. No placement's name has a plus. */
export function chainName(table: RoutingTable, placement: Placement): string {
  return [placement, ...fallbackChain(table, placement)].map(clusterName).join("+");
}

/** Envoy's largest number for a limit; a limit that is left out means 1024 to Envoy, or 3 for retries. */
export const unlimited = 4_294_967_295;

/** What is buffered of a connection before its sender has to wait; 1 MiB unless said. */
export const bufferBytes = 32_768;
