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

describe("what a fault tells", () => {
  test.each([
    ["a number beyond all numbers", '{"version":1e999}', "version: expected a string, got Infinity"],
    [
      "text in the place of the placements",
      '{"placements":"aaa"}',
      'placements: expected an object, got "aaa"',
    ],
    [
      "half a character in a key",
      '{"routingTable":{"\\ud800":"t"}}',
      /^routingTable\["\\ud800"\]: no request can/,
    ],
    [
      "a name that every object has",
      '{"placements":{"__proto__":{}}}',
      /^placements\.__proto__: a placement's name/,
    ],
    ["an unknown property of that name", '{"__proto__":{}}', "__proto__: unknown property"],
    [
      "a long version",
      JSON.stringify({ version: "v".repeat(257) }),
      "version: must have at most 256 characters",
    ],
    [
      "a long endpoint",
      JSON.stringify({ placements: { t: { kind: "tier", url: `http://${"a".repeat(1_100)}` } } }),
      "placements.t.url: must have at most 1024 characters",
    ],
  ])("of %s", (_, text, fault) => {
    const faults = faultsOf(JSON.parse(text));
    expect(faults).toContainEqual(typeof fault === "string" ? fault : expect.stringMatching(fault));
  });

  test("is one short line, however long the names and values are", () => {
    const long = "x".repeat(100_000);
    const document = {
      [long]: 1,
      version: 7,
      defaultPlacement: long,
      routingTable: { [long]: long, [` ${long}`]: long },
      placements: { [long]: { [long]: long, kind: long, url: long } },
    };
    const faults = faultsOf(document);
    expect(faults.length).toBeGreaterThan(7);
    for (const fault of faults) expect(fault.length).toBeLessThanOrEqual(301);
  });

  test("is listed a hundred times, and counted beyond", () => {
    const wrong = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, "?"]));
    const lastOf = (document: object) => faultsOf({ ...exampleDocument(), ...document }).slice(100);
    expect(lastOf({ routingTable: wrong(100) })).toEqual([]);
    expect(lastOf({ routingTable: wrong(101) })).toEqual(["… and 1 more"]);
    expect(lastOf({ routingTable: wrong(250), ...wrong(30) })).toEqual(["… and 180 more"]);
    expect(lastOf(wrong(250))).toEqual(["… and 150 more"]);
    // Nobody needs to know how many there are of so many.
    expect(lastOf({ routingTable: wrong(20_000) })).toEqual(["… and more than 9900 more"]);
  });

  test("is not looked for when ten thousand have been found", () => {
    let looks = 0;
    const wrong = Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`k${i}`, "?"]));
    const routingTable = new Proxy(wrong, {
      get: (target, key) => {
        looks += 1;
        return Reflect.get(target, key);
      },
    });
    faultsOf({ ...exampleDocument(), routingTable });
    expect(looks).toBeLessThan(10_100);
  });

  test("of a table with more placements than a router can serve is one", () => {
    const placements = Object.fromEntries(Array.from({ length: 10_001 }, (_, i) => [`p${i}`, {}]));
    expect(faultsOf({ ...exampleDocument(), defaultPlacement: "p1", routingTable: {}, placements })).toEqual([
      "placements: must have at most 10000 entries",
    ]);
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

  test("with a password is refused, and the password not repeated", () => {
    expect(faultsOf(withUrl("http://me:pa55word@127.0.0.1:9001"))).toEqual([
      "placements.tier1.url: expected http://host:port without path, query or credentials",
    ]);
  });

  test("of a dedicated placement is its own, in whatever spelling", () => {
    expect(faultsOf(withUrl("http://127.1:09004"))).toEqual([
      'placements.tier1.url: "http://127.0.0.1:9004" is the endpoint of "visa": "tier1" would share its dedicated cell',
    ]);
  });

  test.each(["localhost", "LOCALHOST.", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]"])(
    "of a dedicated placement is its own, although %s is another name for the address",
    (host) => {
      const url = new URL(`http://${host}:9004`).origin;
      expect(faultsOf(withUrl(`http://${host}:9004`))).toEqual([
        `placements.tier1.url: "${url}" leads to "http://127.0.0.1:9004", the endpoint of "visa": "tier1" would share its dedicated cell`,
      ]);
    },
  );

  test("is not shared by another dedicated placement either", () => {
    const { placements } = exampleDocument();
    const amex = { kind: "dedicated", url: "http://[::ffff:7f00:1]:9004" };
    const faults = faultsOf({ ...exampleDocument(), placements: { ...placements, amex } });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(/^placements\.visa\.url: .*"amex": "visa" would share its dedicated cell$/);
  });

  test("may be shared by two tiers, as when one machine takes over another's tenants", () => {
    expect(faultsOf(withUrl("http://127.0.0.1:9003"))).toEqual([]);
  });
});

describe("the JSON Schema", () => {
  const schema = routingTableJsonSchema() as object;
  const validates = new Ajv2020({ strict: false }).compile(schema);

  test("in routing.schema.json is in step with the validator", async () => {
    expect(await readJson("routing.schema.json"), "npm run schema writes the new one").toEqual(schema);
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
