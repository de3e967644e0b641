import { test } from "vitest";
import { check } from "../../../support/check.ts";
import { parseRoutingTable } from "../starter/routing-table.ts";

const lookAt = "routing-table.ts, documentSchema";

const tier = (port: number) => ({ kind: "tier", url: `http://127.0.0.1:${port}` });
const visa = { kind: "dedicated", url: "http://127.0.0.1:9004" };

/** A valid document with some of its parts replaced. */
const documentWith = (parts: Record<string, unknown>): unknown => ({
  version: "1.0.0",
  defaultPlacement: "tier3",
  routingTable: { visa: "visa", acme: "tier1" },
  placements: { visa, tier1: tier(9001), tier3: tier(9003) },
  ...parts,
});

/** Where the faults are, sorted: the words behind the path are free. */
function pathsOf(document: unknown): string[] {
  const result = parseRoutingTable(document);
  return result.ok ? [] : result.faults.map((fault) => fault.slice(0, fault.indexOf(": "))).sort();
}

test("a valid document is a table", async () => {
  await check({
    sent: JSON.stringify(documentWith({})),
    expected: { default: "tier3", visa: "visa", acme: "http://127.0.0.1:9001" },
    got: () => {
      const result = parseRoutingTable(documentWith({}));
      if (!result.ok) return result.faults;
      const { defaultPlacement, placementByKey } = result.table;
      return {
        default: defaultPlacement.name,
        visa: placementByKey.get("visa")?.name,
        acme: placementByKey.get("acme")?.url,
      };
    },
    likely: "A rule became too strict.",
    lookAt,
  });
});

test("every fault of form is named with its path", async () => {
  const document = documentWith({
    version: "",
    defaultPlacement: 5,
    routingTable: { visa: null },
    placements: { visa, tier1: { kind: "teir", url: "tier1:9001" } },
  });
  await check({
    sent: JSON.stringify(document),
    expected: [
      "defaultPlacement",
      "placements.tier1.kind",
      "placements.tier1.url",
      "routingTable.visa",
      "version",
    ],
    got: () => pathsOf(document),
    likely: "Some of the faults are kept back, or one is told twice.",
    lookAt,
  });
});

test("every name that does not exist is named where it is used", async () => {
  const document = documentWith({
    defaultPlacement: "tier9",
    routingTable: { visa: "vsia", acme: "tier1", globex: "tier2" },
  });
  await check({
    sent: JSON.stringify(document),
    expected: ["defaultPlacement", "routingTable.globex", "routingTable.visa"],
    got: () => pathsOf(document),
    likely: "Some of the faults are kept back.",
    lookAt,
  });
});

test("faults of form and of reference are named in one go", async () => {
  const document = documentWith({
    routingTable: { visa: "vsia", acme: "tier1" },
    placements: { visa, tier1: { kind: "tier", url: "tier1:9001" }, tier3: tier(9003) },
  });
  await check({
    sent: JSON.stringify(document),
    expected: ["placements.tier1.url", "routingTable.visa"],
    got: () => pathsOf(document),
    likely: "A check of the whole only runs once every part is right.",
    lookAt,
    hint: 1,
  });
});

test("one look at the faults is enough to repair the document", async () => {
  const document = {
    defaultPlacement: "tier9",
    routingTable: { visa: "visa", acme: "tier8", "": "tier1" },
    placements: { visa, tier1: { kind: "tire", url: "http://127.0.0.1:9001" }, tier2: tier(9004) },
    placments: {},
  };
  await check({
    sent: JSON.stringify(document),
    expected: [
      "defaultPlacement",
      "placements.tier1.kind",
      "placements.tier2.url",
      "placments",
      "routingTable.acme",
      'routingTable[""]',
      "version",
    ],
    got: () => pathsOf(document),
    likely: "Whoever repairs what was named will be told of more.",
    lookAt,
    hint: 2,
  });
});

test("a placement with a fault of its own is there: who names it is not at fault", async () => {
  const document = documentWith({
    defaultPlacement: "tier1",
    placements: { visa, tier1: { kind: "tier", url: "http://127.0.0.1:9001/path" } },
  });
  await check({
    sent: JSON.stringify(document),
    expected: ["placements.tier1.url"],
    got: () => pathsOf(document),
    likely: "One fault became several: the name is written, and only its URL is wrong.",
    lookAt,
    hint: 3,
  });
});

test("a placement that nobody wrote does not exist, whatever its name", async () => {
  const document = documentWith({ routingTable: { visa: "constructor", acme: "toString" } });
  await check({
    sent: JSON.stringify(document),
    expected: ["routingTable.acme", "routingTable.visa"],
    got: () => pathsOf(document),
    likely: "The name was found in an object that inherits it.",
    lookAt,
  });
});

test("a routing key named __proto__ is held to the rules like any other", async () => {
  const text = '{ "visa": "visa", "__proto__": "nowhere" }';
  await check({
    sent: `a document with "routingTable": ${text}`,
    expected: ["routingTable.__proto__"],
    got: () => pathsOf(documentWith({ routingTable: JSON.parse(text) as unknown })),
    likely: "The key was lost on the way, and with it the tenant.",
    lookAt,
  });
});

test("an unknown property is named, wherever it stands", async () => {
  const document = documentWith({
    placments: {},
    placements: { visa, tier1: { ...tier(9001), weight: 2 }, tier3: tier(9003) },
  });
  await check({
    sent: JSON.stringify(document),
    expected: ["placements.tier1.weight", "placments"],
    got: () => pathsOf(document),
    likely: "What is not known is overlooked. It is most often a misspelt name.",
    lookAt,
  });
});

test("the default is a tier, and a dedicated endpoint is shared with nobody, in any spelling", async () => {
  const rules = [
    { parts: { defaultPlacement: "visa" }, paths: ["defaultPlacement"] },
    {
      parts: {
        placements: {
          visa: { kind: "dedicated", url: "http://cell.example" },
          tier1: { kind: "tier", url: "http://CELL.example:80" },
          tier3: { kind: "tier", url: "http://cell.example" },
        },
      },
      paths: ["placements.tier1.url", "placements.tier3.url"],
    },
    {
      parts: {
        placements: { visa, tier1: { kind: "tier", url: "http://localhost:9004" }, tier3: tier(9003) },
      },
      paths: ["placements.tier1.url"],
    },
  ];
  for (const { parts, paths } of rules) {
    await check({
      sent: `a valid document with ${JSON.stringify(parts)}`,
      expected: paths,
      got: () => pathsOf(documentWith(parts)),
      likely: "Strangers reach a cell that belongs to one tenant.",
      lookAt: "routing-table.ts, documentSchema, origin and dedicatedEndpoints",
    });
  }
});

test("two tiers may share an endpoint", async () => {
  const document = documentWith({ placements: { visa, tier1: tier(9001), tier3: tier(9001) } });
  await check({
    sent: JSON.stringify(document),
    expected: [],
    got: () => pathsOf(document),
    likely: "A rule that protects dedicated cells is applied to all of them.",
    lookAt: "routing-table.ts, dedicatedEndpoints",
  });
});

test("anything that JSON can hold is answered with faults", async () => {
  const documents = [
    "null",
    "[]",
    '"text"',
    "7",
    "{}",
    '{"placements":null}',
    '{"placements":[null,1]}',
    '{"placements":{"tier1":null,"tier2":1}}',
    '{"placements":"text"}',
  ];
  await check({
    sent: documents.join(" and "),
    expected: documents.map(() => "faults"),
    got: () =>
      documents.map((text) => {
        const result = parseRoutingTable(JSON.parse(text));
        return result.ok ? "a table" : result.faults.length > 0 ? "faults" : "not a word";
      }),
    likely: "Something was read from the document before anybody had looked what it is.",
    lookAt: "routing-table.ts, what is read before the validation",
    hint: 3,
  });
});
