// Placements as nginx's upstream groups: the cell, as often as it may be tried, and its explicit fallback chain as `backup`.
// No other cell ever stands in a group, so nothing that fails can lead a request into somebody else's.

import { isIPv6 } from "node:net";
import { fallbackChain } from "../../stages/m4/src/failover.ts";
import type { Placement } from "../../stages/m4/src/routing-table.ts";
import { addressOf } from "../address.ts";
import type { Numbered } from "./keys.ts";

/** Where nothing listens and nothing is ever sent: see `upstreamGroups`. */
const nobody = "127.0.0.1:1";

/** @param number Of a placement, or the variable that holds it. */
export function groupName(number: number | string): string {
  return `placement_${number}`;
}

/** @throws UnsupportedTableError for a chain whose cells nginx could not tell apart */
export function upstreamGroups(numbers: Numbered): string[] {
  return numbers.placements.flatMap((placement, number) => {
    const chain = [...fallbackChain(numbers.table, placement)];
    const copies = 1 + (placement.retries?.maxRetries ?? 0);
    const lines = [`upstream ${groupName(number)} { # ${placement.name}`];
    for (let copy = 0; copy < copies; copy++)
      lines.push(`  server ${serverAddress(placement)}${ejection(placement, copies)};`);
    // A server that is alone in its group is never ejected: nginx ignores `max_fails` there. One that is "down" for ever makes two.
    if (copies === 1 && chain.length === 0 && ejectionOf(placement) !== undefined)
      lines.push(`  server ${nobody} down;`);
    for (const [position, fallback] of chain.entries())
      lines.push(
        `  server ${serverAddress(fallback)} backup weight=${weightAt(position)}${ejection(fallback, 1)};`,
      );
    lines.push("  keepalive 256;", "  keepalive_requests 1000000;", "}");
    return lines;
  });
}

/** Who serves, by the placement's number and the last address that was tried. Only needed where somebody can stand in. */
export function servedMap(numbers: Numbered): string[] {
  const entries = numbers.placements.flatMap((placement, number) => {
    const chain = [...fallbackChain(numbers.table, placement)];
    if (chain.length === 0) return [];
    const byAddress = new Map<string, string>();
    for (const each of [placement, ...chain]) {
      const address = comparableAddress(each, placement);
      if (!byAddress.has(address)) byAddress.set(address, each.name);
    }
    return [...byAddress].map(([address, name]) => `  "${number} ${address}" ${name};`);
  });
  return [
    // One entry for each attempt, with ", " or " : " between them; the last one served.
    String.raw`map $upstream_addr $last_address { default ""; "~(?<last_of_addresses>[^ ,]+)\z" $last_of_addresses; }`,
    'map "$placement_number $last_address" $served_by {',
    "  default $placement;",
    ...entries,
    "}",
  ];
}

/** A table that is valid, and that nginx cannot serve truthfully. */
export class UnsupportedTableError extends Error {
  override readonly name = "UnsupportedTableError";
}

/** The address as nginx reports it. A name would be reported as what it resolves to, which nobody knows beforehand. */
function comparableAddress(placement: Placement, primary: Placement): string {
  const { hostname } = new URL(placement.url);
  if (/^[\d.]+$|^\[/.test(hostname)) return serverAddress(placement);
  throw new UnsupportedTableError(
    `Write the url of "${placement.name}" with an IP address: nginx tells who served by address only, ` +
      `and "${placement.name}" belongs to the fallback chain of "${primary.name}"`,
  );
}

/** @throws UnsupportedTableError for a host that nginx would read as something else */
export function serverAddress({ name, url }: Placement): string {
  const { host, port } = addressOf(url);
  if (isIPv6(host)) return `[${host}]:${port}`;
  // `server unix:80` is a socket in the file system. Marks such as ";" would end the line.
  if (host === "unix" || !/^[a-z0-9._-]+$/i.test(host))
    throw new UnsupportedTableError(`nginx cannot name the host of "${name}": ${JSON.stringify(host)}`);
  return `${host}:${port}`;
}

interface Ejection {
  readonly failures: number;
  readonly seconds: number;
}

/** From the breaker; else from the health check, which the open-source nginx does not have; else never. */
function ejectionOf({ circuitBreaker, health }: Placement): Ejection | undefined {
  if (circuitBreaker !== undefined)
    return { failures: circuitBreaker.consecutiveFailures, seconds: Math.ceil(circuitBreaker.waitMs / 1000) };
  if (health === undefined) return undefined;
  const recoveryMs = health.rise * health.intervalMs;
  return { failures: health.fall, seconds: Math.ceil(recoveryMs / 1000) };
}

/** Each copy counts for itself, so each gets its share. `max_fails=0` switches the counting off. */
function ejection(placement: Placement, copies: number): string {
  const settings = ejectionOf(placement);
  if (settings === undefined) return " max_fails=0";
  return ` max_fails=${Math.ceil(settings.failures / copies)} fail_timeout=${settings.seconds}s`;
}

/** After how many seconds an ejected placement is tried again. */
export function ejectionSeconds(placement: Placement): number | undefined {
  return ejectionOf(placement)?.seconds;
}

/** nginx spreads load over its backups. A thousand times the weight of the next one is nearly "best first". */
function weightAt(position: number): number {
  return 1000 ** Math.max(0, 3 - position);
}
