import { test } from "vitest";
import { check, ifGot, type Outcome } from "../../../support/check.ts";
import { parseRoutingTable, routingTableJsonSchema } from "../starter/routing-table.ts";

/** Which paths are missing from the list, and which are too many. */
const pathsShow = (wanted: readonly string[]) => (came: Outcome<string[]>) => {
  if (came.kind !== "returned") return undefined;
  const missing = wanted.filter((path) => !came.value.includes(path));
  if (missing.length > 0) return `The list leaves out ${missing.join(", ")}.`;
  const extra = came.value.filter((path) => !wanted.includes(path));
  if (extra.length > 0) return `The list has ${extra.join(", ")}, where nothing is wrong.`;
  return came.value.length > wanted.length ? "A fault stands in the list twice." : undefined;
};

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
    likely: ifGot(
      [(got) => Array.isArray(got), "This document is valid, but these faults were found in it."],
      [(got) => JSON.stringify(got).includes("CELL"), "The table has the URL as it was typed."],
    ),
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
    likely: ifGot(
      [(got) => got.length < text.length, "The call removed a part of the document."],
      [(got) => got.length > text.length, "The call added something to the document."],
    ),
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
    likely: pathsShow([
      "defaultPlacement",
      "placements.tier1.kind",
      "placements.tier1.url",
      "routingTable.visa",
      "version",
    ]),
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
    likely: pathsShow(["defaultPlacement", "routingTable.globex", "routingTable.visa"]),
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
      likely: ifGot(
        [(got) => got === "a table", "The document was taken as valid."],
        [(got) => got === "", "The document was refused without a fault."],
        [(got) => got.includes("\n"), "One mistake led to several lines."],
        [(got) => !got.startsWith(`${path}: `), "The fault is named at another path."],
        [
          (got) => !got.slice(path.length).includes(`"${name}"`),
          "The path is right, but the words leave out what was written there.",
        ],
      ),
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
      form: "placements.tier1.url",
      reference: "routingTable.visa",
    },
    { parts: { version: 1, defaultPlacement: "tier9" }, form: "version", reference: "defaultPlacement" },
    {
      parts: { routingTable: { visa: 4, acme: "tier9" } },
      form: "routingTable.visa",
      reference: "routingTable.acme",
    },
    {
      parts: { routingTable: [], defaultPlacement: "tier9" },
      form: "routingTable",
      reference: "defaultPlacement",
    },
    {
      parts: { defaultPlacement: null, routingTable: { visa: "vsia" } },
      form: "defaultPlacement",
      reference: "routingTable.visa",
    },
  ];
  for (const { parts, form, reference } of cases) {
    await check({
      sent: `a valid document with ${JSON.stringify(parts)}`,
      expected: [form, reference].sort(),
      got: () => pathsOf(documentWith(parts)),
      likely: (came) =>
        ifGot<string[]>(
          [(got) => got.join() === form, "Of the two faults, only the one of form is named."],
          [
            (got) => got.join() === reference,
            "Of the two faults, only the name that does not exist is named.",
          ],
        )(came) ?? pathsShow([form, reference])(came),
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
    likely: ifGot(
      [(got) => Number.parseInt(got, 10) < 60, "The list of faults ends early."],
      [(got) => got.endsWith("equal"), "A fault stands in the list more than once."],
    ),
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
    likely: pathsShow([
      "defaultPlacement",
      "placements.tier1.kind",
      "placements.tier2.url",
      "placments",
      "routingTable.acme",
      'routingTable[""]',
      "version",
    ]),
    lookAt,
    hint: 2,
  });
});

test("a placement with a fault of its own is there: who names it is not at fault", async () => {
  const faulty: readonly (readonly [path: string, placement: unknown, name?: string])[] = [
    ["placements.tier1.url", { kind: "tier", url: "http://127.0.0.1:9001/path" }],
    ["placements.tier1.kind", { kind: "teir", url: "http://127.0.0.1:9001" }],
    ["placements.tier1.weight", { ...tier(9001), weight: 2 }],
    ["placements.tier1", null],
    ["placements.tier1", "http://127.0.0.1:9001"],
    ['placements["tier_1!"]', tier(9001), "tier_1!"],
  ];
  for (const [path, placement, name = "tier1"] of faulty) {
    const document = documentWith({
      defaultPlacement: name,
      routingTable: { visa: "visa", acme: name },
      placements: { visa, [name]: placement },
    });
    await check({
      sent: JSON.stringify(document),
      expected: [path],
      got: () => pathsOf(document),
      likely: ifGot(
        [
          (got) => got.some((each) => !each.startsWith("placements")),
          "One fault became several: the places that name this placement count as faulty too.",
        ],
        [(got) => got.length === 0, "The faulty placement was taken as it is."],
      ),
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
    likely: pathsShow(["defaultPlacement", "placements.visa.url"]),
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
    likely: pathsShow(names.map((_, i) => `routingTable.key-${i}`)),
    lookAt,
  });
});

test("a routing key named __proto__ is held to the rules like any other", async () => {
  const text = '{ "visa": "visa", "__proto__": "nowhere" }';
  await check({
    sent: `a document with "routingTable": ${text}`,
    expected: ["routingTable.__proto__"],
    got: () => pathsOf(documentWith({ routingTable: JSON.parse(text) as unknown })),
    likely: pathsShow(["routingTable.__proto__"]),
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
    likely: pathsShow(["placements.tier1.weight", "placments"]),
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
      likely: pathsShow(paths),
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
    likely: pathsShow([]),
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
    likely: (came) => {
      if (came.kind === "threw") return "One of these documents ended in an error instead of faults.";
      return ifGot<string[]>(
        [(got) => got.includes("a table"), "One of these documents was taken for a table."],
        [(got) => got.includes("not a word"), "One of these documents was refused without a fault."],
      )(came);
    },
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
    likely: ifGot(
      [
        ({ required }) => !Array.isArray(required) || required.length < 4,
        "The schema requires fewer properties than the document needs.",
      ],
      [
        ({ described }) => Array.isArray(described) && described.length < 5,
        "A property is missing from the schema, or has no words that explain it.",
      ],
    ),
    lookAt,
  });
});
