// Routing tables as the suite writes them. Open records on purpose: many cases need a table that is wrong.

/** A routing document; a case may put anything into it. */
export interface Table {
  version: string;
  defaultPlacement: string;
  routingTable: Record<string, unknown>;
  placements: Record<string, unknown>;
  [extra: string]: unknown;
}

/** The table of the m1 contract over the cells at `urlOf`. */
export function tableOver(urlOf: (cell: string) => string, version: string): Table {
  const tier = (cell: string) => ({ kind: "tier", url: urlOf(cell) });
  return {
    version,
    defaultPlacement: "tier3",
    routingTable: { visa: "visa", acme: "tier1", globex: "tier2", initech: "tier3" },
    placements: {
      visa: { kind: "dedicated", url: urlOf("visa") },
      tier1: tier("tier1"),
      tier2: tier("tier2"),
      tier3: tier("tier3"),
    },
  };
}

/** The same content with every object's keys in the opposite order and another layout. */
export function rewritten(table: Table): string {
  const reversed = (value: unknown): unknown =>
    typeof value === "object" && value !== null
      ? Object.fromEntries(
          Object.entries(value)
            .map(([key, each]) => [key, reversed(each)] as const)
            .reverse(),
        )
      : value;
  return JSON.stringify(reversed(table), null, 7);
}
