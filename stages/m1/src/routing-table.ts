// The routing table: which placement serves which routing key, and where each placement lives.
// Owns the types and the table built into this milestone. It leaves the decision to `routing.ts`.

/** Upper bound of a routing key, in bytes. */
export const maxRoutingKeyBytes = 256;

/** `dedicated`: one tenant's own cell. `tier`: a cell that several tenants share. */
export type PlacementKind = "dedicated" | "tier";

/** A failure domain that can serve tenants. */
export interface Placement {
  readonly name: string;
  readonly kind: PlacementKind;
  /** Origin of the cell's endpoint, such as `http://127.0.0.1:9001`. */
  readonly url: string;
}

/** One immutable routing table. Replaced whole, never edited in place. */
export interface RoutingTable {
  readonly version: string;
  /** Serves every routing key that the table does not list. */
  readonly defaultPlacement: Placement;
  readonly placements: ReadonlyMap<string, Placement>;
  readonly placementByKey: ReadonlyMap<string, Placement>;
}

// #region static-table
/**
 * The table of this milestone: one tenant with a cell of its own, three tiers, `tier3` for everyone else.
 *
 * @param urls Endpoint of each placement by name, to run the cells elsewhere than on the default ports.
 */
export function staticRoutingTable(urls: ReadonlyMap<string, string> = new Map()): RoutingTable {
  const placement = (name: string, kind: PlacementKind, port: number): Placement => ({
    name,
    kind,
    url: urls.get(name) ?? `http://127.0.0.1:${port}`,
  });
  const visa = placement("visa", "dedicated", 9004);
  const tier1 = placement("tier1", "tier", 9001);
  const tier2 = placement("tier2", "tier", 9002);
  const tier3 = placement("tier3", "tier", 9003);
  return {
    version: "1.0.0",
    defaultPlacement: tier3,
    placements: new Map([visa, tier1, tier2, tier3].map((each) => [each.name, each])),
    placementByKey: new Map([
      ["visa", visa],
      ["acme", tier1],
      ["globex", tier2],
      ["initech", tier3],
    ]),
  };
}
// #endregion static-table
