// The cells of the contract and what a routing table says about them, as far as a judge of responses has to know it.

export const cellNames = ["visa", "tier1", "tier2", "tier3"] as const;
export type CellName = (typeof cellNames)[number];

export interface Placement {
  readonly cell: CellName;
  /** Names of the placements that may serve instead, links included, in order. */
  readonly chain: readonly string[];
}

export interface Table {
  readonly version: string;
  /** What the router gets: its routing file. */
  readonly document: object;
  readonly placements: ReadonlyMap<string, Placement>;
  readonly placementByKey: ReadonlyMap<string, string>;
}

/** The placement that `table` routes `key` to. */
export function originOf(table: Table, key: string): string {
  return table.placementByKey.get(key) ?? "tier3";
}

/** The cells that a request for `key` may reach by `table`. */
export function cellsOf(table: Table, key: string): CellName[] {
  const origin = originOf(table, key);
  const names = [origin, ...(table.placements.get(origin)?.chain ?? [])];
  return names.flatMap((name) => table.placements.get(name)?.cell ?? []);
}
