import { test } from "vitest";
import { check } from "../../../support/check.ts";
import { parseRoutingTable, routingTableJsonSchema } from "../starter/routing-table.ts";

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
  const document = documentWith({
    $schema: "./routing.schema.json",
    placements: { visa, tier1: { kind: "tier", url: "http://CELL.example:80" }, tier3: tier(9003) },
  });
  await check({
    sent: JSON.stringify(document),
    expected: {
      version: "1.0.0",
      default: "tier3",
      keys: { visa: "visa, dedicated at http://127.0.0.1:9004", acme: "tier1, tier at http://cell.example" },
      placements: ["visa", "tier1", "tier3"],
    },
    got: (): object => {
      const result = parseRoutingTable(document);
      if (!result.ok) return result.faults;
      const { version, defaultPlacement, placementByKey, placements } = result.table;
      const keys = [...placementByKey].map(([key, { name, kind, url }]) => [
        key,
        `${name}, ${kind} at ${url}`,
      ]);
      return {
        version,
        default: defaultPlacement.name,
        keys: Object.fromEntries(keys),
        placements: [...placements.keys()],
      };
    },
    likely: "A rule became too strict, or a part of the table is not what the document says.",
    lookAt,
  });
});

test("the document is left as it was", async () => {
  const text = JSON.stringify(documentWith({ routingTable: { visa: "vsia" } }));
  await check({
    sent: `${text}\nthen the document that parseRoutingTable was given`,
    expected: text,
    got: () => {
      const document: unknown = JSON.parse(text);
      parseRoutingTable(document);
      return JSON.stringify(document);
    },
    likely: "The validator changes the document that it reads.",
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
    likely: "A fault is missing from the list, or stands in it twice.",
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
    likely: "A fault is missing from the list, or stands in it twice.",
    lookAt,
  });
});

test("a fault about a name quotes the name", async () => {
  const cases = [
    { parts: { routingTable: { acme: "vsia" } }, path: "routingTable.acme", name: "vsia" },
    { parts: { defaultPlacement: "tier9" }, path: "defaultPlacement", name: "tier9" },
    { parts: { defaultPlacement: "visa" }, path: "defaultPlacement", name: "visa" },
  ];
  for (const { parts, path, name } of cases) {
    await check({
      sent: `a valid document with ${JSON.stringify(parts)}`,
      expected: `one fault, at ${path}, with "${name}" in its words`,
      got: (): string => {
        const result = parseRoutingTable(documentWith(parts));
        return result.ok ? "a table" : result.faults.join("\n");
      },
      accept: (got) => {
        const words = got.startsWith(`${path}: `) ? got.slice(path.length) : "";
        return !got.includes("\n") && words.includes(`"${name}"`);
      },
      likely: "Without the name, the reader has to open the file to see what was written there.",
      lookAt,
    });
  }
});

test("faults of form and of reference are named in one go", async () => {
  const cases = [
    {
      parts: {
        routingTable: { visa: "vsia", acme: "tier1" },
        placements: { visa, tier1: { kind: "tier", url: "tier1:9001" }, tier3: tier(9003) },
      },
      paths: ["placements.tier1.url", "routingTable.visa"],
    },
    { parts: { version: 1, defaultPlacement: "tier9" }, paths: ["defaultPlacement", "version"] },
    {
      parts: { routingTable: { visa: 4, acme: "tier9" } },
      paths: ["routingTable.acme", "routingTable.visa"],
    },
    { parts: { routingTable: [], defaultPlacement: "tier9" }, paths: ["defaultPlacement", "routingTable"] },
    {
      parts: { defaultPlacement: null, routingTable: { visa: "vsia" } },
      paths: ["defaultPlacement", "routingTable.visa"],
    },
  ];
  for (const { parts, paths } of cases) {
    await check({
      sent: `a valid document with ${JSON.stringify(parts)}`,
      expected: paths,
      got: () => pathsOf(documentWith(parts)),
      likely: "A check of the whole runs only once every part is right.",
      lookAt,
      hint: 1,
    });
  }
});

test("sixty faults are sixty lines", async () => {
  const keys = Array.from({ length: 58 }, (_, i) => `key-${i}`);
  const document = documentWith({
    version: "",
    routingTable: Object.fromEntries(keys.map((key) => [key, "nowhere"])),
    placements: { visa, tier1: { kind: "teir", url: "http://127.0.0.1:9001" }, tier3: tier(9003) },
  });
  await check({
    sent: `a document with a faulty version, a faulty kind, and ${keys.length} keys in a placement that does not exist`,
    expected: "60 paths, all of them different",
    got: () => {
      const paths = pathsOf(document);
      const different = new Set(paths).size === paths.length ? "all of them different" : "some of them equal";
      return `${paths.length} paths, ${different}`;
    },
    likely: "The list of faults is cut short, or has a fault more than once.",
    lookAt,
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
  const faulty: readonly (readonly [path: string, placement: unknown])[] = [
    ["placements.tier1.url", { kind: "tier", url: "http://127.0.0.1:9001/path" }],
    ["placements.tier1.kind", { kind: "teir", url: "http://127.0.0.1:9001" }],
    ["placements.tier1.weight", { ...tier(9001), weight: 2 }],
    ["placements.tier1", null],
    ["placements.tier1", "http://127.0.0.1:9001"],
  ];
  for (const [path, placement] of faulty) {
    const document = documentWith({ defaultPlacement: "tier1", placements: { visa, tier1: placement } });
    await check({
      sent: JSON.stringify(document),
      expected: [path],
      got: () => pathsOf(document),
      likely: "One fault became several: the name is written, and only what stands beside it is wrong.",
      lookAt,
      hint: 3,
    });
  }
});

test("a faulty dedicated placement is still no default", async () => {
  const document = documentWith({
    defaultPlacement: "visa",
    placements: { visa: { kind: "dedicated", url: "visa:9004" }, tier1: tier(9001) },
  });
  await check({
    sent: JSON.stringify(document),
    expected: ["defaultPlacement", "placements.visa.url"],
    got: () => pathsOf(document),
    likely:
      "With the URL fixed, the next round would name the default: its kind was there to be read all the time.",
    lookAt,
    hint: 2,
  });
});

test("a placement that nobody wrote does not exist, whatever its name", async () => {
  const names = ["constructor", "toString", "__proto__", "hasOwnProperty", "size", ""];
  const document = documentWith({
    routingTable: Object.fromEntries(names.map((name, i) => [`key-${i}`, name])),
  });
  await check({
    sent: JSON.stringify(document),
    expected: names.map((_, i) => `routingTable.key-${i}`),
    got: () => pathsOf(document),
    likely: "A name was found in an object that inherits it.",
    lookAt,
  });
});

test("a routing key named __proto__ is held to the rules like any other", async () => {
  const text = '{ "visa": "visa", "__proto__": "nowhere" }';
  await check({
    sent: `a document with "routingTable": ${text}`,
    expected: ["routingTable.__proto__"],
    got: () => pathsOf(documentWith({ routingTable: JSON.parse(text) as unknown })),
    likely: "The key is not in the result: it was lost on the way, and with it the tenant.",
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
    likely: "A property that nobody knows is ignored. It is most often a misspelt name.",
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
  ];
  for (const { parts, paths } of rules) {
    await check({
      sent: `a valid document with ${JSON.stringify(parts)}`,
      expected: paths,
      got: () => pathsOf(documentWith(parts)),
      likely:
        "With this table, strangers would reach a cell that belongs to one tenant; or a rule names the wrong place.",
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
    '{"placements":{"tier1":[]},"routingTable":7,"defaultPlacement":{}}',
    '{"placements":{"tier1":{"kind":{}}},"defaultPlacement":"tier1"}',
    '{"__proto__":{"placements":{}},"placements":{"__proto__":{"kind":"tier"}}}',
  ];
  await check({
    sent: documents.join(" and "),
    expected: documents.map(() => "faults"),
    got: () =>
      documents.map((text) => {
        const result = parseRoutingTable(JSON.parse(text));
        return result.ok ? "a table" : result.faults.length > 0 ? "faults" : "not a word";
      }),
    likely: "A part of the document was used before anything had checked what it is.",
    lookAt: "routing-table.ts, what is read before the validation",
    hint: 3,
  });
});

test("the JSON Schema for editors describes every property", async () => {
  await check<Record<string, unknown>>({
    sent: "routingTableJsonSchema()",
    expected: {
      required: ["version", "defaultPlacement", "routingTable", "placements"],
      described: ["$schema", "version", "defaultPlacement", "routingTable", "placements"],
    },
    got: () => {
      const { required, properties } = routingTableJsonSchema() as {
        required: unknown;
        properties: Readonly<Record<string, { readonly description?: string }>>;
      };
      const described = Object.entries(properties).filter(([, { description = "" }]) => description !== "");
      return { required, described: described.map(([name]) => name) };
    },
    likely: "The schema from which editors complete the file lost a property, or the words that explain it.",
    lookAt,
  });
});
