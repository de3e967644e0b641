import { readFile } from "node:fs/promises";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { route } from "../src/routing.ts";
import { parseRoutingTable, type RoutingTable, routingTableJsonSchema } from "../src/routing-table.ts";
import { exampleDocument, validDocuments } from "./documents.ts";

const readJson = async (name: string): Promise<unknown> =>
  JSON.parse(await readFile(new URL(`../${name}`, import.meta.url), "utf8"));

function tableOf(document: unknown): RoutingTable {
  const result = parseRoutingTable(document);
  if (!result.ok) throw new Error(result.faults.join("\n"));
  return result.table;
}

function faultsOf(document: unknown): readonly string[] {
  const result = parseRoutingTable(document);
  return result.ok ? [] : result.faults;
}

describe("parseRoutingTable", () => {
  test("reads the table that comes with this stage, which routes like the one built into m1", async () => {
    const table = tableOf(await readJson("routing.json"));
    const routed = (key: string) => {
      const { placement, reason } = route(table, key);
      return `${placement.name} ${placement.url} ${reason}`;
    };
    expect(routed("visa")).toBe("visa http://127.0.0.1:9004 dedicated");
    expect(routed("acme")).toBe("tier1 http://127.0.0.1:9001 tier");
    expect(routed("globex")).toBe("tier2 http://127.0.0.1:9002 tier");
    expect(routed("initech")).toBe("tier3 http://127.0.0.1:9003 tier");
    expect(routed("hooli")).toBe("tier3 http://127.0.0.1:9003 default");
  });

  test("routes every listed key of any valid document where the document says", () => {
    fc.assert(
      fc.property(validDocuments, (document) => {
        const table = tableOf(document);
        for (const [key, name] of Object.entries(document.routingTable)) {
          expect(route(table, key)).toEqual({
            placement: { name, ...document.placements[name] },
            reason: document.placements[name]?.kind,
          });
        }
        expect(route(table, "a key that no document lists\0").placement.name).toBe(document.defaultPlacement);
        expect(table.placementByKey.size).toBe(Object.keys(document.routingTable).length);
      }),
    );
  });

  test("never throws, whatever the document is", () => {
    fc.assert(
      fc.property(fc.anything(), (document) => {
        expect(parseRoutingTable(document).ok).toBe(false);
      }),
    );
    fc.assert(
      fc.property(
        fc.anything(),
        fc.constantFrom("version", "routingTable", "placements"),
        (value, member) => {
          parseRoutingTable({ ...exampleDocument(), [member]: value });
        },
      ),
    );
  });

  test("never throws for a document that is nested beyond any stack", () => {
    const deep: unknown = JSON.parse(`${"[".repeat(50_000)}${"]".repeat(50_000)}`);
    expect(faultsOf(deep)).toEqual(["(document): expected an object, got a list"]);
    expect(faultsOf({ ...exampleDocument(), version: deep })).toEqual([
      "version: expected a string, got a list",
    ]);
  });

  test("names every key whose placement does not exist, and nothing else", () => {
    fc.assert(
      fc.property(validDocuments, fc.infiniteStream(fc.boolean()), (document, broken) => {
        const wrong: string[] = [];
        const entries = Object.entries(document.routingTable).map(([key, name]) => {
          if (!broken.next().value) return [key, name];
          wrong.push(key);
          return [key, "no such placement"];
        });
        const faults = faultsOf({ ...document, routingTable: Object.fromEntries(entries) });
        expect(faults).toHaveLength(wrong.length);
        for (const fault of faults) expect(fault).toContain('unknown placement "no such placement"');
      }),
    );
  });

  test("changes nothing in the document and shares nothing with it", () => {
    const document = exampleDocument();
    const table = tableOf(document);
    (document.placements["tier1"] as { url: string }).url = "http://elsewhere";
    expect(table.placements.get("tier1")?.url).toBe("http://127.0.0.1:9001");
    expect(document.placements["visa"]).not.toHaveProperty("name");
  });

  test("keeps one placement object for all of its keys", () => {
    const table = tableOf({ ...exampleDocument(), routingTable: { a: "tier1", b: "tier1" } });
    expect(table.placementByKey.get("a")).toBe(table.placementByKey.get("b"));
    expect(table.placementByKey.get("a")).toBe(table.placements.get("tier1"));
    expect(table.defaultPlacement).toBe(table.placements.get("tier3"));
  });

  test("allows several keys on one dedicated placement: a tenant may have more than one", () => {
    const table = tableOf({ ...exampleDocument(), routingTable: { visa: "visa", "visa-test": "visa" } });
    expect(route(table, "visa-test")).toMatchObject({ reason: "dedicated", placement: { name: "visa" } });
  });
});

describe("an endpoint", () => {
  const withUrl = (url: string) => ({
    ...exampleDocument(),
    placements: { ...exampleDocument().placements, tier1: { kind: "tier", url } },
  });

  test.each([
    ["http://127.0.0.1:09001", "http://127.0.0.1:9001"],
    ["http://CELL.internal:80", "http://cell.internal"],
    ["http://[::1]:9001", "http://[::1]:9001"],
    ["http://127.1:9001", "http://127.0.0.1:9001"],
  ])("written as %s has one spelling, %s", (url, origin) => {
    expect(tableOf(withUrl(url)).placements.get("tier1")?.url).toBe(origin);
  });

  test("of a dedicated placement is its own, in whatever spelling", () => {
    expect(faultsOf(withUrl("http://127.1:09004"))).toEqual([
      'placements.tier1.url: "http://127.0.0.1:9004" is the dedicated endpoint of "visa"',
    ]);
  });

  test("may be shared by two tiers, as when one machine takes over another's tenants", () => {
    expect(faultsOf(withUrl("http://127.0.0.1:9003"))).toEqual([]);
  });
});

describe("the JSON Schema", () => {
  const schema = routingTableJsonSchema() as object;
  const validates = new Ajv2020({ strict: false }).compile(schema);

  test("in routing.schema.json is in step with the validator", async () => {
    // After a change of the validator, write the new schema as the README of this stage says.
    expect(await readJson("routing.schema.json")).toEqual(schema);
  });

  test("takes the table that comes with this stage", async () => {
    expect(validates(await readJson("routing.json"))).toBe(true);
  });

  test("takes whatever the validator takes", () => {
    fc.assert(
      fc.property(validDocuments, (document) => {
        expect(parseRoutingTable(document).ok).toBe(true);
        // A key named __proto__ is beyond the checker of this test, not beyond the schema.
        fc.pre(!Object.hasOwn(document.routingTable, "__proto__"));
        expect(validates(document), JSON.stringify(validates.errors)).toBe(true);
      }),
    );
  });

  test.each<[string, object]>([
    ["a missing member", { version: undefined }],
    ["an unknown member", { placments: {} }],
    ["a path in an endpoint", { placements: { tier3: { kind: "tier", url: "http://a:1/b" } } }],
    ["an unknown kind", { placements: { tier3: { kind: "shared", url: "http://a:1" } } }],
    [
      "a placement's name that is no header value",
      { placements: { "a b": { kind: "tier", url: "http://a:1" } } },
    ],
    ["a key with space around it", { routingTable: { " acme": "tier3" } }],
    ["a key of 257 bytes", { routingTable: { ["k".repeat(257)]: "tier3" } }],
    ["a key without a placement's name", { routingTable: { acme: 3 } }],
  ])("refuses %s, as the validator does", (_, change) => {
    const document: unknown = JSON.parse(JSON.stringify({ ...exampleDocument(), ...change }));
    expect(validates(document)).toBe(false);
    expect(parseRoutingTable(document).ok).toBe(false);
  });
});
