// Decides which placement serves a routing key, from the routing document as it was read: plain objects,
// straight from JSON.parse. Pure: a document and a key in, a decision out.

/** The routing document. Keys are chosen by tenants, so any string may occur as one. */
export interface RoutingDocument {
  /** Serves every routing key that `routingTable` does not list. */
  readonly defaultPlacement: string;
  /** Routing key → name of its placement. */
  readonly routingTable: Readonly<Record<string, string>>;
  /** Name → what it is. Validated: every name used above exists here. */
  readonly placements: Readonly<Record<string, { readonly kind: "dedicated" | "tier" }>>;
}

export interface Decision {
  /** Name of the placement that serves the request. */
  readonly placement: string;
  /** The placement's kind for a listed key, `default` for every other key. */
  readonly reason: "dedicated" | "tier" | "default";
}

/** Looks a routing key up. Every string is an ordinary key: listed or not listed, nothing else. */
export function route(document: RoutingDocument, routingKey: string): Decision {
  // Own properties only: a plain object answers to every name that its prototype has.
  const listed = Object.hasOwn(document.routingTable, routingKey)
    ? document.routingTable[routingKey]
    : undefined;
  if (listed === undefined) return { placement: document.defaultPlacement, reason: "default" };
  const placement = document.placements[listed];
  if (placement === undefined) throw new Error(`Cannot route "${routingKey}": no placement "${listed}"`);
  const reason = listed === document.defaultPlacement ? "default" : placement.kind;
  return { placement: listed, reason };
}
