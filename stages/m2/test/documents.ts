// Routing documents for the tests of this stage: the usual one, and arbitrary ones for properties.

import fc from "fast-check";
import type { RoutingDocument } from "../src/routing-table.ts";

export function exampleDocument(): RoutingDocument {
  const tier = (port: number) => ({ kind: "tier" as const, url: `http://127.0.0.1:${port}` });
  return {
    version: "1.0.0",
    defaultPlacement: "tier3",
    routingTable: { visa: "visa", acme: "tier1" },
    placements: {
      visa: { kind: "dedicated", url: "http://127.0.0.1:9004" },
      tier1: tier(9001),
      tier3: tier(9003),
    },
  };
}

/** The usual document with `count` more routing keys, spread over the tiers. */
export function largeDocument(count: number, version = "large"): RoutingDocument {
  const { routingTable, ...rest } = exampleDocument();
  const more = Array.from({ length: count }, (_, i) => [`tenant-${i}`, i % 2 === 0 ? "tier1" : "tier3"]);
  return { ...rest, version, routingTable: { ...routingTable, ...Object.fromEntries(more) } };
}

const routingKey = fc
  .oneof(
    fc.string({ minLength: 1, maxLength: 80, unit: "grapheme" }),
    fc.constantFrom("__proto__", "constructor"),
  )
  .filter((key) => Buffer.byteLength(key) <= 256 && !/^\s|\s$|[\p{Cc}\p{Cs}\uFFFD]/u.test(key));

const placementName = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/);

/** Valid documents of every size, with strange names among them. At least one placement is a tier. */
export const validDocuments: fc.Arbitrary<RoutingDocument> = fc
  .uniqueArray(placementName, { minLength: 1, maxLength: 8 })
  .chain((names) => {
    const [tier = ""] = names;
    const kinds = fc.tuple(...names.map((name) => fc.constantFrom(...kindsOf(name === tier))));
    return fc.record({
      version: fc.string({ minLength: 1 }),
      defaultPlacement: fc.constant(tier),
      routingTable: fc.dictionary(routingKey, fc.constantFrom(...names)),
      placements: kinds.map((each) =>
        Object.fromEntries(each.map((kind, i) => [names[i], { kind, url: `http://10.0.0.${i + 1}:9000` }])),
      ),
    });
  });

function kindsOf(mustBeTier: boolean): ("tier" | "dedicated")[] {
  return mustBeTier ? ["tier"] : ["tier", "dedicated"];
}
