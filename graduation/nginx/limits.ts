// Rate limits and concurrency limits as nginx's zones. A zone has one rate, and a directive one number, so there is one zone for
// each *different* setting; its variable is empty, which means "not limited", for requests that it does not concern.

import type { RateLimitSettings } from "../../stages/m4/src/resilience-settings.ts";
import type { Placement } from "../../stages/m4/src/routing-table.ts";
import type { Numbered } from "./keys.ts";
import { UnsupportedTableError } from "./upstreams.ts";

/** Lines for the `http` block, and for the location that proxies. */
export interface LimitLines {
  readonly http: readonly string[];
  readonly location: readonly string[];
  /** Name of a key's own limit, for `keyMaps`. */
  readonly limitOf: (key: string) => string | undefined;
}

/** Holds some 16,000 keys: the table names them, so clients cannot fill it. */
const zoneSize = "1m";

/** @see https://nginx.org/en/docs/http/ngx_http_limit_conn_module.html nginx 1.22 refuses more */
const mostConnections = 65_535;

/** A client that waits a day may as well ask. */
const longestWaitSeconds = 86_400;

/** @throws UnsupportedTableError for a concurrency limit that nginx cannot count to */
export function limitLines(numbers: Numbered): LimitLines {
  const { table, placements } = numbers;
  const http: string[] = [];
  const location: string[] = [];
  const addRate = (name: string, variable: string, limit: RateLimitSettings) => {
    http.push(`limit_req_zone ${variable} zone=${name}:${zoneSize} rate=${nginxRate(limit)};`);
    location.push(`limit_req zone=${name}${burstOf(limit)};`);
  };

  const keyNames = new Map<string, string>();
  for (const [name, { limit, members }] of grouped([...(table.keyLimits ?? [])], "key")) {
    for (const key of members) keyNames.set(key, name);
    // The zone counts by the key as it came; the route says that it is spelled as in the table.
    http.push(`map $key_limit $for_${name} { default ""; ${name} $routing_key; }`);
    addRate(name, `$for_${name}`, limit);
  }
  const shared = table.unlistedKeysLimit;
  if (shared !== undefined) {
    const name = `unlisted_${settingName(shared)}`;
    http.push(`map $key_limit $for_${name} { default ""; unlisted all; }`);
    addRate(name, `$for_${name}`, shared);
  }
  const rated = placements.flatMap((each) => (each.rateLimit ? [[each, each.rateLimit] as const] : []));
  for (const [name, { limit, members }] of grouped(rated, "placement")) {
    http.push(onlyFor(numbers, name, members));
    addRate(name, `$for_${name}`, limit);
  }
  for (const [limit, members] of concurrencyGroups(placements)) {
    if (limit > mostConnections)
      throw new UnsupportedTableError(
        `The concurrency limit of "${members[0]?.name}" is ${limit}; nginx counts to ${mostConnections}`,
      );
    const name = `under_way_${limit}`;
    http.push(onlyFor(numbers, name, members), `limit_conn_zone $for_${name} zone=${name}:${zoneSize};`);
    location.push(`limit_conn ${name} ${limit};`);
  }
  return { http, location, limitOf: (key) => keyNames.get(key) };
}

/** Seconds after which a refused client may come again: static, because nginx does not tell when the next one passes. */
export function retryAfterLines({ table, placements }: Numbered): string[] {
  const waits = [...(table.keyLimits ?? [])].map(
    ([, limit]) => [`key_${settingName(limit)}`, limit] as const,
  );
  const shared = table.unlistedKeysLimit;
  const all = new Map([...waits, ...(shared === undefined ? [] : [["unlisted", shared] as const])]);
  return [
    "map $key_limit $key_wait {",
    "  default 0;",
    ...[...all].map(([name, limit]) => `  ${name} ${waitSeconds(limit)};`),
    "}",
    "map $placement_number $placement_wait {",
    "  default 1;",
    ...placements.flatMap(({ rateLimit }, index) =>
      rateLimit === undefined ? [] : [`  ${index} ${waitSeconds(rateLimit)};`],
    ),
    "}",
    "map $key_wait $rate_wait { default $key_wait; 0 $placement_wait; }",
  ];
}

/** `rate=`: whole requests per second or per minute; nginx knows no fraction, and nothing slower than one per minute. */
export function nginxRate({ ratePerSecond }: RateLimitSettings): string {
  if (Number.isInteger(ratePerSecond)) return `${ratePerSecond}r/s`;
  return `${Math.max(1, Math.round(ratePerSecond * 60))}r/m`;
}

/** nginx counts what exceeds one request, so a bucket of `burst` tokens is a burst of one less; `nodelay`: refuse, never queue. */
function burstOf({ burst }: RateLimitSettings): string {
  const excess = Math.floor(burst) - 1;
  return excess > 0 ? ` burst=${excess} nodelay` : "";
}

function waitSeconds({ ratePerSecond }: RateLimitSettings): number {
  return Math.min(longestWaitSeconds, Math.max(1, Math.ceil(1 / ratePerSecond)));
}

/** `0.5` and `20` as `0p5_20`: part of a zone's name, so that what is equal shares a zone and what differs does not. */
function settingName({ ratePerSecond, burst }: RateLimitSettings): string {
  return `${ratePerSecond}_${burst}`.replaceAll(".", "p").replaceAll("-", "m").replaceAll("+", "");
}

function grouped<Member>(limited: readonly (readonly [Member, RateLimitSettings])[], prefix: string) {
  const groups = new Map<string, { readonly limit: RateLimitSettings; readonly members: Member[] }>();
  for (const [member, limit] of limited) {
    const name = `${prefix}_${settingName(limit)}`;
    const group = groups.get(name) ?? { limit, members: [] };
    group.members.push(member);
    groups.set(name, group);
  }
  return groups;
}

function concurrencyGroups(placements: readonly Placement[]): Map<number, Placement[]> {
  const groups = new Map<number, Placement[]>();
  for (const each of placements) {
    if (each.concurrencyLimit === undefined) continue;
    groups.set(each.concurrencyLimit, [...(groups.get(each.concurrencyLimit) ?? []), each]);
  }
  return groups;
}

function onlyFor({ numberOf }: Numbered, name: string, members: readonly Placement[]): string {
  const entries = members.map((each) => `${numberOf(each)} ${each.name};`);
  return `map $placement_number $for_${name} { default ""; ${entries.join(" ")} }`;
}
