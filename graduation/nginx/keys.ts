// From a routing key to its placement, its reason and its own rate limit: nginx's `map` made as exact as `route(table, key)`.
//
// A map compares source values without regard to case, so `Acme` would reach the cell of `acme`. Each entry therefore holds the
// key as it is written in the table, and a second map compares that with the key as it came. Keys that differ in nothing but
// case cannot stand in one map at all; those become regular expressions, which nginx tries one after the other.

import type { Placement, RoutingTable } from "../../stages/m4/src/routing-table.ts";
import { exactMapSource, foldedByMap, literalValue, mapSource } from "./syntax.ts";

/** What the configuration needs to know of one table, in a fixed order. */
export interface Numbered {
  readonly table: RoutingTable;
  readonly placements: readonly Placement[];
  readonly numberOf: (placement: Placement) => number;
}

export function numbered(table: RoutingTable): Numbered {
  const placements = [...table.placements.values()];
  const numbers = new Map(placements.map((each, index) => [each.name, index]));
  return { table, placements, numberOf: ({ name }) => numbers.get(name) ?? 0 };
}

/** Where a key leads: `2 tier key_50_20`, the placement's number, the reason, and which limit of its own the key has. */
interface NamedKey {
  readonly key: string;
  readonly route: string;
}

/**
 * @param limitOf Name of the rate limit of a key that has one of its own.
 */
export function keyMaps(numbers: Numbered, limitOf: (key: string) => string | undefined): string[] {
  const { table, numberOf } = numbers;
  const { placementByKey, keyLimits, defaultPlacement } = table;
  const named: NamedKey[] = [];
  for (const [key, placement] of placementByKey)
    named.push({ key, route: `${numberOf(placement)} ${placement.kind} ${limitOf(key) ?? "none"}` });
  for (const key of keyLimits?.keys() ?? []) {
    // Such a limit can stand for a key that no request can carry; nobody will miss it.
    if (placementByKey.has(key) || !canArrive(key)) continue;
    named.push({ key, route: `${numberOf(defaultPlacement)} default ${limitOf(key) ?? "none"}` });
  }
  return [
    "# The key as the table spells it, behind what the table says of it. Ignores case: the next map does not.",
    "map $routing_key $named_route {",
    '  default "";',
    ...namedEntries(named),
    "}",
    "# What holds only if the key is spelled as in the table: placement, reason, limit of its own.",
    'map "$named_route $routing_key" $route {',
    `  default "${numberOf(defaultPlacement)} default unlisted";`,
    String.raw`  "~^(?<listed_route>\d+ [a-z]+ [a-z0-9_]+) (?<spelling>.+) \k<spelling>\z" $listed_route;`,
    "}",
    String.raw`map $route $placement_number { "~^(?<number_of_route>\d+) " $number_of_route; }`,
    String.raw`map $route $route_reason { "~^\d+ (?<reason_of_route>[a-z]+) " $reason_of_route; }`,
    String.raw`map $route $key_limit { "~ (?<limit_of_route>[a-z0-9_]+)\z" $limit_of_route; }`,
    "map $placement_number $placement {",
    ...numbers.placements.map(({ name }, index) => `  ${index} ${name};`),
    "}",
  ];
}

function namedEntries(named: readonly NamedKey[]): string[] {
  const spellings = new Map<string, number>();
  for (const { key } of named) {
    const folded = foldedByMap(key);
    spellings.set(folded, (spellings.get(folded) ?? 0) + 1);
  }
  return named.map(({ key, route }) => {
    const isAlone = spellings.get(foldedByMap(key)) === 1;
    const source = isAlone ? mapSource(key) : exactMapSource(key);
    return `  ${source} ${value(`${route} ${key}`)};`;
  });
}

function value(text: string): string {
  const escaped = text.replaceAll("\\", "\\\\").replaceAll('"', '\\"');
  return `"${literalValue(escaped)}"`;
}

/** Whether HTTP can carry the key as a field's value: no control characters, and no outer space, which is trimmed. */
function canArrive(key: string): boolean {
  return /^(?!\s)[^\p{Cc}\p{Cs}]*(?<!\s)$/u.test(key);
}

/** Before the first map: an entry that is larger than a bucket stops nginx, and a table that is too small builds slowly. */
export function mapHashSettings({ placementByKey, keyLimits }: RoutingTable): string[] {
  const entries = placementByKey.size + (keyLimits?.size ?? 0);
  const size = Math.max(2048, 2 ** Math.ceil(Math.log2(2 * entries + 1)));
  return [`map_hash_max_size ${size};`, "map_hash_bucket_size 512;"];
}
