// The routing table: which placement serves which routing key, and where each placement lives.
// Owns the types and what makes a document a valid table. It leaves the decision to `routing.ts`, and where a
// document comes from to its source. No Node API: the same validator runs in a browser.

import { z } from "zod";
import { dialledAt } from "../../../stages/m2/src/endpoint.ts";
import {
  type EntriesCheck,
  explain,
  faultsOf,
  isObject,
  mapOf,
  quoted,
} from "../../../stages/m2/src/validation.ts";

/** Upper bound of a routing key, in bytes. */
export const maxRoutingKeyBytes = 256;

/** Upper bounds of what else a document may hold: each placement costs a router a pool of connections and more. */
const maxPlacements = 10_000;
const maxUrlLength = 1_024;
const maxVersionLength = 256;

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

// #region document
/** The table as people write it, and as it travels: JSON. */
export interface RoutingDocument {
  /** Where editors find the JSON Schema; means nothing to the router. */
  readonly $schema?: string;
  readonly version: string;
  readonly defaultPlacement: string;
  readonly routingTable: Readonly<Record<string, string>>;
  readonly placements: Readonly<Record<string, { readonly kind: PlacementKind; readonly url: string }>>;
}

export type ParseResult =
  | { readonly ok: true; readonly table: RoutingTable }
  /** Every fault, each with its path: `placements.acme.url: …`. */
  | { readonly ok: false; readonly faults: readonly string[] };
// #endregion document

// #region parse
/**
 * Reads a document as a routing table, whole or not at all: a table with one good half would route the other half's
 * tenants wrongly. Changes nothing in `document`.
 */
export function parseRoutingTable(document: unknown): ParseResult {
  const result = documentSchema(kindsIn(document)).safeParse(document, { error: explain });
  if (!result.success) return { ok: false, faults: faultsOf(result.error.issues) };
  const { version, defaultPlacement, routingTable, placements } = result.data;
  const byName = new Map([...placements].map(([name, each]) => [name, { name, ...each }]));
  // The validator has seen every name that is looked up here.
  const named = (name: string): Placement => byName.get(name) as Placement;
  const placementByKey = new Map<string, Placement>();
  for (const [key, name] of routingTable) placementByKey.set(key, named(name));
  return {
    ok: true,
    table: { version, defaultPlacement: named(defaultPlacement), placements: byName, placementByKey },
  };
}

/** The JSON Schema of a document, for editors. It cannot say that a name must exist; the validator can. */
export function routingTableJsonSchema(): unknown {
  return z.toJSONSchema(documentSchema(new Map()), { io: "input" });
}
// #endregion parse

// #region schema
/** What a document claims each placement's kind to be, by name. Read before validation, so it may be anything. */
type Kinds = ReadonlyMap<string, unknown>;

function kindsIn(document: unknown): Kinds {
  const kinds = new Map<string, unknown>();
  const placements = isObject(document) ? document["placements"] : undefined;
  if (!isObject(placements)) return kinds;
  for (const name of Object.keys(placements)) {
    const placement = placements[name];
    kinds.set(name, isObject(placement) ? placement["kind"] : undefined);
  }
  return kinds;
}

/** The validator. It is told the names beforehand, so that one pass finds faults of form and of reference alike. */
function documentSchema(kinds: Kinds) {
  const placementName = z.string().refine((name) => kinds.has(name), {
    error: ({ input }) => `unknown placement ${quoted(input)}`,
  });
  return z.strictObject({
    $schema: z.string().optional().describe("The JSON Schema of this file, for editors."),
    version: z
      .string()
      .min(1)
      .max(maxVersionLength)
      .describe("A name for this version of the table, for people."),
    // With a dedicated placement here, every stranger would reach one tenant's own cell.
    defaultPlacement: placementName
      .refine((name) => kinds.get(name) !== "dedicated", {
        error: ({ input }) => `${quoted(input)} is one tenant's own; name a tier`,
      })
      .describe("The tier that serves every routing key that the table does not list."),
    routingTable: mapOf(routingKey, placementName).describe("Routing key to the name of its placement."),
    placements: mapOf(nameOfPlacement, placement, dedicatedEndpoints, maxPlacements).describe(
      "Failure domains by name.",
    ),
  });
}

/** A key that a request can carry: see `request-head.ts`. HTTP trims spaces; and with U+FFFD, all broken UTF-8 would match. */
const routingKey = z
  .string()
  .min(1)
  .refine(isShortEnough, { error: `a routing key has at most ${maxRoutingKeyBytes} bytes`, abort: true })
  .regex(
    /^(?!\s)[^\p{Cc}\p{Cs}\ufffd]*(?<!\s)$/u,
    "no request can carry this key: outer space, a control character, or U+FFFD for broken UTF-8",
  )
  // For editors, which count no bytes.
  .meta({ maxLength: maxRoutingKeyBytes });

const utf8 = new TextEncoder();

function isShortEnough(key: string): boolean {
  // A code unit takes one to three bytes, so most keys need no counting.
  if (key.length * 3 <= maxRoutingKeyBytes) return true;
  return key.length <= maxRoutingKeyBytes && utf8.encode(key).length <= maxRoutingKeyBytes;
}

/** Sent as `X-Routed-To`: it must be safe in a header field, and in a log line and a metric's label too. */
const nameOfPlacement = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    "a placement's name has up to 64 letters, digits, dots, dashes and underscores, a letter or digit first",
  );

/** What is wrong with a table is logged: a password is not repeated. */
const notAnOrigin: z.core.$ZodErrorMap = ({ input }) =>
  `expected http://host:port without path, query or credentials${/@/.test(String(input)) ? "" : `, got ${quoted(input)}`}`;

/** What every program reads as the same host. HAProxy expands `*` and `$NAME`, and nginx ends a word at `;`. */
const plainHost = /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])$/;

const origin = z
  .string()
  .max(maxUrlLength, { abort: true })
  .regex(/^http:\/\/[^/?#@\\\s]+$/, { error: notAnOrigin, abort: true })
  .refine((url) => URL.canParse(url) && new URL(url).port !== "0", { error: notAnOrigin, abort: true })
  .refine((url) => plainHost.test(new URL(url).hostname), { error: notAnOrigin, abort: true })
  // One spelling for one endpoint: connection pools are kept by it.
  .transform((url) => new URL(url).origin);

const placement = z.strictObject({
  kind: z
    .enum(["dedicated", "tier"])
    .describe("dedicated: one tenant's own cell. tier: a cell that several share."),
  url: origin.describe("Origin of the cell's endpoint, such as http://127.0.0.1:9001."),
});

/** Isolation: what shares an endpoint shares its cell, and a dedicated cell is one tenant's own. */
const dedicatedEndpoints: EntriesCheck<z.infer<typeof placement>> = (placements, report) => {
  const owners = new Map<string, { readonly name: string; readonly url: string }>();
  for (const [name, { kind, url }] of placements)
    if (kind === "dedicated") owners.set(dialledAt(url), { name, url });
  for (const [name, { url }] of placements) {
    const owner = owners.get(dialledAt(url));
    if (owner === undefined || owner.name === name) continue;
    const leads = url === owner.url ? "is" : `leads to ${quoted(owner.url)},`;
    const why = `${quoted(name)} would share its dedicated cell`;
    report([name, "url"], `${quoted(url)} ${leads} the endpoint of ${quoted(owner.name)}: ${why}`);
  }
};
// #endregion schema
