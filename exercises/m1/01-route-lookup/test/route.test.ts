import { test } from "vitest";
import { check } from "../../../support/check.ts";
import { type Decision, type RoutingDocument, route } from "../starter/route.ts";

const lookAt = "route.ts, the look-up of the routing key";

// From text, as in production: JSON.parse makes `__proto__` an own property, a literal would set the prototype.
function documentWith(routingTable: string): RoutingDocument {
  return {
    defaultPlacement: "tier3",
    routingTable: JSON.parse(routingTable) as Record<string, string>,
    placements: { visa: { kind: "dedicated" }, tier1: { kind: "tier" }, tier3: { kind: "tier" } },
  };
}

const plain = documentWith('{ "visa": "visa", "acme": "tier1" }');
const toDefault: Decision = { placement: "tier3", reason: "default" };

test("a listed key goes to its placement, for that placement's kind", async () => {
  await check({
    sent: 'route(document, "visa"), then route(document, "acme")',
    expected: [
      { placement: "visa", reason: "dedicated" },
      { placement: "tier1", reason: "tier" },
    ],
    got: () => [route(plain, "visa"), route(plain, "acme")],
    likely: "The reason is the kind of the placement, not its name.",
    lookAt,
  });
});

test("an unlisted key goes to the default placement", async () => {
  await check({
    sent: 'route(document, "umbrella")',
    expected: toDefault,
    got: () => route(plain, "umbrella"),
    likely: "A key that the table does not list is not an error: the default placement serves it.",
    lookAt,
  });
});

test("keys are compared exactly: VISA is not visa", async () => {
  await check({
    sent: 'route(document, "VISA"), then route(document, " visa")',
    expected: [toDefault, toDefault],
    got: () => [route(plain, "VISA"), route(plain, " visa")],
    likely: "The key is trimmed or its case is folded: two tenants then share one entry.",
    lookAt,
  });
});

for (const routingKey of ["constructor", "__proto__", "toString"]) {
  test(`an unlisted tenant called ${routingKey} goes to the default placement`, async () => {
    await check({
      sent: `route(document, "${routingKey}")`,
      expected: toDefault,
      got: () => route(plain, routingKey),
      likely: `Nobody listed "${routingKey}", and yet the look-up found something. Ask where it came from.`,
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
    likely: "The look-up filters what it inherited by its type. What is inherited may have any type.",
    lookAt,
    hint: 2,
  });
});

test("tenants that are listed as constructor and __proto__ get their own placement", async () => {
  const document = documentWith('{ "constructor": "visa", "__proto__": "tier1" }');
  await check({
    sent: 'a document that lists both, then route(document, "constructor") and route(document, "__proto__")',
    expected: [
      { placement: "visa", reason: "dedicated" },
      { placement: "tier1", reason: "tier" },
    ],
    got: () => [route(document, "constructor"), route(document, "__proto__")],
    likely: "Some names are treated as special. To a tenant they are ordinary names, and they may be listed.",
    lookAt,
    hint: 3,
  });
});

test("a tenant that is listed as hasOwnProperty breaks no look-up", async () => {
  const document = documentWith('{ "hasOwnProperty": "tier1", "visa": "visa" }');
  await check({
    sent: 'a document that lists "hasOwnProperty", then route(document, "visa")',
    expected: { placement: "visa", reason: "dedicated" },
    got: () => route(document, "visa"),
    likely: "A method is called on the table itself, and the table's data has replaced that method.",
    lookAt,
    hint: 3,
  });
});

test("the document is left as it was", async () => {
  const document = documentWith('{ "visa": "visa" }');
  route(document, "visa");
  await check({
    sent: 'route(document, "visa"), then Object.keys(document.routingTable)',
    expected: ["visa"],
    got: () => Object.keys(document.routingTable),
    likely: "The look-up writes to the table that it reads.",
    lookAt,
  });
});
