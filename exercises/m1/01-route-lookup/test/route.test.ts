import { test } from "vitest";
import { check, ifGot, type Outcome } from "../../../support/check.ts";
import { type Decision, type RoutingDocument, route } from "../starter/route.ts";

/** For a name that nobody listed. */
function foundUnlisted(came: Outcome<Decision>): string | undefined {
  if (came.kind === "threw" && String(came.error).includes("no placement"))
    return "The lookup found something for a name that nobody listed. The error quotes it: where did it come from?";
  return came.kind === "returned" && came.value.reason !== "default"
    ? "The decision says that this name is listed, but it isn't."
    : undefined;
}

const lookAt = "route.ts, the lookup of the routing key";

// From text, as in production: JSON.parse makes `__proto__` an own property, a literal would set the prototype.
function documentWith(routingTable: string): RoutingDocument {
  return {
    defaultPlacement: "tier3",
    routingTable: JSON.parse(routingTable) as Record<string, string>,
    placements: { visa: { kind: "dedicated" }, tier1: { kind: "tier" }, tier3: { kind: "tier" } },
  };
}

const plain = documentWith('{ "visa": "visa", "acme": "tier1" }');
/** Every decision by its key. A null prototype, so that `__proto__` is a key like the others. */
function routed(document: RoutingDocument, keys: readonly string[]): Record<string, Decision> {
  const decisions = Object.create(null) as Record<string, Decision>;
  for (const key of keys) decisions[key] = route(document, key);
  return { ...decisions };
}

const toDefault: Decision = { placement: "tier3", reason: "default" };

test("a listed key goes to its placement, for that placement's kind", async () => {
  // A placement may have any name: here a tier is named like a tenant, and a tenant lives in the default placement.
  const document = documentWith(
    '{ "visa": "visa", "acme": "tier1", "globex": "visa", "tier1": "tier1", "last": "tier3" }',
  );
  await check({
    sent: "a table that lists visa → visa, acme → tier1, globex → visa, tier1 → tier1 and last → tier3; route(document, …) for each",
    expected: {
      visa: { placement: "visa", reason: "dedicated" },
      acme: { placement: "tier1", reason: "tier" },
      globex: { placement: "visa", reason: "dedicated" },
      tier1: { placement: "tier1", reason: "tier" },
      last: { placement: "tier3", reason: "tier" },
    },
    got: () => routed(document, ["visa", "acme", "globex", "tier1", "last"]),
    likely: ifGot(
      [
        (got) => Object.values(got).some(({ reason }) => reason === "default"),
        "A key that the table lists was decided as `default`, as if nobody had listed it.",
      ],
      [
        ({ acme, tier1, last }) => [acme, tier1, last].some((each) => each?.reason === "dedicated"),
        "A key that lives in a tier was decided as `dedicated`.",
      ],
      [
        ({ visa, globex }) => [visa, globex].some((each) => each?.reason === "tier"),
        "A key that has a dedicated placement was decided as `tier`.",
      ],
    ),
    lookAt,
  });
});

test("an unlisted key goes to the default placement", async () => {
  await check({
    sent: 'route(document, "umbrella"), then route(document, "")',
    expected: { umbrella: toDefault, "": toDefault },
    got: () => routed(plain, ["umbrella", ""]),
    likely: ifGot(
      [
        (got) => Object.values(got).some(({ reason }) => reason !== "default"),
        "The table doesn't list this key, but the reason says that it does.",
      ],
      [
        (got) => Object.values(got).some(({ placement }) => placement !== "tier3"),
        "The reason is right, but the placement isn't the document's default placement.",
      ],
    ),
    lookAt,
  });
});

test("keys are compared exactly: VISA is not visa", async () => {
  const composed = "caf\u00e9";
  const decomposed = "cafe\u0301";
  const long = "x".repeat(300);
  const table = { visa: "visa", [composed]: "tier1", "\ufffd": "tier1", [`${long}a`]: "tier1", "": "visa" };
  const unlisted = ["VISA", " visa", "visa ", "visa\n", "vis", "visa2", decomposed, "\ud800", `${long}b`];
  await check({
    sent: [
      'a table that lists "visa", "caf\\u00e9", "\\ufffd", "" and 300 x followed by "a"; then route(document, …) for',
      '"VISA", " visa", "visa ", "visa\\n", "vis", "visa2", "cafe\\u0301", "\\ud800" and 300 x followed by "b";',
      "then for each listed key",
    ].join("\n"),
    expected: { unlisted: unlisted.map(() => "tier3"), listed: ["visa", "tier1", "tier1", "tier1", "visa"] },
    got: () => {
      const document = documentWith(JSON.stringify(table));
      const placements = (keys: readonly string[]) => keys.map((key) => route(document, key).placement);
      return { unlisted: placements(unlisted), listed: placements(Object.keys(table)) };
    },
    likely: ifGot(
      [
        (got) => got.unlisted.some((placement) => placement !== "tier3"),
        "A key that only resembles a listed one got a listed key's placement: two tenants share one entry.",
      ],
      [
        (got) => got.listed.includes("tier3"),
        "A key went to the default placement, although the table lists it letter for letter.",
      ],
    ),
    lookAt,
  });
});

for (const routingKey of ["constructor", "__proto__", "toString"]) {
  test(`an unlisted tenant called ${routingKey} goes to the default placement`, async () => {
    await check({
      sent: `route(document, "${routingKey}")`,
      expected: toDefault,
      got: () => route(plain, routingKey),
      likely: foundUnlisted,
      lookAt,
      hint: 1,
    });
  });
}

test("a name that a library put on Object.prototype is not a tenant", async () => {
  const prototype = Object.prototype as unknown as Record<string, unknown>;
  await check({
    sent: 'Object.prototype.umbrella = "visa" (a careless dependency), then route(document, "umbrella")',
    expected: toDefault,
    got: () => {
      prototype["umbrella"] = "visa";
      try {
        return route(plain, "umbrella");
      } finally {
        delete prototype["umbrella"];
      }
    },
    likely: ifGot([
      ({ placement }) => placement === "visa",
      "The lookup found `visa`, which stands on Object.prototype and not in the table.",
    ]),
    lookAt,
    hint: 2,
  });
});

const inheritedNames = Object.getOwnPropertyNames(Object.prototype);

test("no name on Object.prototype is a tenant unless it is listed", async () => {
  await check({
    sent: `route(document, …) for ${inheritedNames.join(", ")}; the table lists none of them`,
    expected: [],
    got: () => inheritedNames.filter((name) => route(plain, name).reason !== "default"),
    likely: (came) => {
      if (came.kind !== "returned") return foundUnlisted(came);
      return came.value.length > 0
        ? "The lookup found something for every name in this list, but the table has none of them."
        : undefined;
    },
    lookAt,
    hint: 1,
  });
});

test("tenants that are listed as constructor and __proto__ get their own placement", async () => {
  const listed = [...inheritedNames.filter((name) => name !== "hasOwnProperty"), "prototype"];
  const document = documentWith(`{ ${listed.map((name) => `"${name}": "tier1"`).join(", ")} }`);
  await check({
    sent: `a table that lists ${listed.join(", ")}; then route(document, …) for each`,
    expected: "every one of them on tier1",
    got: () => {
      const elsewhere = listed.filter((name) => route(document, name).placement !== "tier1");
      return elsewhere.length === 0 ? "every one of them on tier1" : `not on tier1: ${elsewhere.join(", ")}`;
    },
    likely: ifGot(
      [
        (got) => got === "not on tier1: __proto__",
        "Every listed name was found except `__proto__`. Assigning `__proto__` to an object does something special.",
      ],
      [
        (got) => got.startsWith("not on tier1"),
        "The table has an entry for each of these names, but that entry was not used.",
      ],
    ),
    lookAt,
    hint: 3,
  });
});

test("a tenant that is listed as hasOwnProperty breaks no lookup", async () => {
  const document = documentWith('{ "hasOwnProperty": "tier1", "visa": "visa" }');
  await check({
    sent: 'a table that lists "hasOwnProperty" and "visa"; then route(document, …) for "visa" and "umbrella"',
    expected: { visa: { placement: "visa", reason: "dedicated" }, umbrella: toDefault },
    got: () => routed(document, ["visa", "umbrella"]),
    likely: (came) =>
      came.kind === "threw" && String(came.error).includes("hasOwnProperty is not a function")
        ? "The lookup called a method of the table, but an entry of the table had taken its place."
        : undefined,
    lookAt,
    hint: 3,
  });
});

test("the document is left as it was", async () => {
  const text = '{ "visa": "visa", "__proto__": "tier1" }';
  await check({
    sent: 'route(document, …) for "visa" and "umbrella"; then what the document is',
    expected: { entries: ["visa", "__proto__"], placements: 3, prototype: "Object.prototype", mayGrow: true },
    got: () => {
      const document = documentWith(text);
      for (const key of ["visa", "umbrella"]) route(document, key);
      const { routingTable, placements } = document;
      const prototypes = [document, routingTable, placements].map(
        (each) => Object.getPrototypeOf(each) as unknown,
      );
      return {
        entries: Object.keys(routingTable),
        placements: Object.keys(placements).length,
        prototype: prototypes.every((each) => each === Object.prototype) ? "Object.prototype" : "another one",
        mayGrow: Object.isExtensible(routingTable),
      };
    },
    likely: ifGot(
      [
        ({ entries }) => entries.join() !== "visa,__proto__",
        "The two lookups changed the entries of the table.",
      ],
      [
        ({ prototype }) => prototype === "another one",
        "The two lookups changed the prototype of a part of the document.",
      ],
      [({ mayGrow }) => !mayGrow, "After the two lookups, nothing can be added to the table."],
    ),
    lookAt,
  });
});
