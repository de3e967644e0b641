import { test } from "vitest";
import { check, ifGot, printable } from "../../../support/check.ts";
import { requestIdOf, upstreamHeaders } from "../starter/forwarding.ts";

/** What a list of hops shows; the last one wanted is this router. */
function hopsShow(got: readonly string[], wanted: readonly string[]): string | undefined {
  const own = wanted.at(-1);
  if (got.some((hop) => hop.includes(" fields: ")))
    return "The cell gets several fields of this name, not one list.";
  if (got.includes("(empty)")) return "The list has an empty member.";
  if (got.length === 1 && got[0] === own && wanted.length > 1)
    return "Only this hop is left in the list: the earlier hops are gone.";
  if (got.length < wanted.length) return "The list is too short: a hop is missing.";
  if (got.length > wanted.length) return "The list is too long: a hop stands in it more often than it came.";
  return got[0] === own && got.at(-1) !== own ? "This hop stands in front of the earlier hops." : undefined;
}

const lookAt = "forwarding.ts, upstreamHeaders";
const context = {
  clientAddress: "192.0.2.7",
  host: "shop.example",
  httpVersion: "1.1",
  requestId: "id-1",
  rawRoutingKey: "acme",
};

const rawOf = (fields: readonly string[]) => fields.flatMap((field) => field.split(/: (.*)/s).slice(0, 2));

/** What reaches the cell of the named fields: every value, in order. */
const reaching = (
  fields: readonly string[],
  names: readonly string[],
  over: { readonly host?: string | undefined; readonly httpVersion?: string } = {},
) => {
  const sent = upstreamHeaders(rawOf(fields), { ...context, ...over });
  const valuesOf = (name: string) =>
    sent.filter((_, i) => i % 2 === 1 && sent[i - 1]?.toLowerCase() === name.toLowerCase());
  return Object.fromEntries(names.map((name) => [name, valuesOf(name)]));
};

/** The members of the one field of that name that reaches the cell, however they are spaced. */
const membersOf = (fields: readonly string[], name: string, over = {}): string[] => {
  const [list = "", ...others] = reaching(fields, [name], over)[name] ?? [];
  if (others.length > 0) return [`${others.length + 1} fields: ${[list, ...others].join(" | ")}`];
  return list.split(",").map((member) => member.trim() || "(empty)");
};

test("a request that came straight from its client gets every field", async () => {
  await check({
    sent: "Accept: */* from 192.0.2.7, for the host shop.example, with the routing key acme",
    expected: {
      "X-Routing-Key": ["acme"],
      "X-Request-Id": ["id-1"],
      "X-Forwarded-For": ["192.0.2.7"],
      "X-Forwarded-Proto": ["http"],
      "X-Forwarded-Host": ["shop.example"],
      Via: ["1.1 cell-router"],
    },
    got: () =>
      reaching(
        ["Accept: */*"],
        ["X-Routing-Key", "X-Request-Id", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Via"],
      ),
    likely: ifGot(
      [
        (got) => Object.values(got).some((values) => values.length === 0),
        "A field of the router's own does not reach the cell: its list is empty.",
      ],
      [
        (got) => Object.values(got).some((values) => values.length > 1),
        "A field of the router's own reaches the cell more than once.",
      ],
    ),
    lookAt,
  });
});

test("the client's own fields pass, and its Host is left to the connection", async () => {
  const fields = [
    "Host: shop.example",
    "Cookie: a=1",
    "Connection: close",
    "Cookie: b=2",
    "Keep-Alive: timeout=5",
  ];
  await check({
    sent: fields.join("\n"),
    expected: { Cookie: ["a=1", "b=2"], Host: [], Connection: [], "Keep-Alive": [] },
    got: () => reaching(fields, ["Cookie", "Host", "Connection", "Keep-Alive"]),
    likely: ifGot(
      [
        (got) => got["Host"]?.length !== 0,
        "The client's Host passed. The connection to the cell writes one too, so the cell gets two.",
      ],
      [
        (got) => got["Connection"]?.length !== 0 || got["Keep-Alive"]?.length !== 0,
        "A field about the client's connection reaches the cell.",
      ],
      [(got) => got["Cookie"]?.length === 1, "Two Cookie fields came, but the cell gets only one."],
    ),
    lookAt,
  });
});

test("a request without Host gets no X-Forwarded-Host", async () => {
  for (const fields of [[], ["X-Forwarded-Host: admin.example"]]) {
    await check({
      sent: ["an HTTP/1.0 request without Host", ...fields].join("\n"),
      expected: { "X-Forwarded-Host": [] },
      got: () => reaching(fields, ["X-Forwarded-Host"], { host: undefined, httpVersion: "1.0" }),
      likely: ifGot(
        [
          (got) => got["X-Forwarded-Host"]?.includes("admin.example") === true,
          "The client's own X-Forwarded-Host reaches the cell.",
        ],
        [
          (got) => got["X-Forwarded-Host"]?.length !== 0,
          "The router saw no host, but it tells the cell one.",
        ],
      ),
      lookAt,
      hint: 2,
    });
  }
});

test("X-Forwarded-For is one list, and this hop is its last member", async () => {
  const cases = [
    {
      fields: ["X-Forwarded-For: 198.51.100.1", "x-forwarded-for: 198.51.100.2", "X-Forwarded-For: "],
      members: ["198.51.100.1", "198.51.100.2", "192.0.2.7"],
    },
    {
      fields: ["X-Forwarded-For: 198.51.100.1,198.51.100.2", "X-Forwarded-For: 198.51.100.1, 192.0.2.7"],
      members: ["198.51.100.1", "198.51.100.2", "198.51.100.1", "192.0.2.7", "192.0.2.7"],
    },
    { fields: ["X-Forwarded-For: "], members: ["192.0.2.7"] },
    {
      fields: ["Connection: x-forwarded-for", "X-Forwarded-For: 198.51.100.1"],
      members: ["198.51.100.1", "192.0.2.7"],
    },
  ];
  for (const { fields, members } of cases) {
    await check({
      sent: `${fields.join("\n")}\nfrom 192.0.2.7`,
      expected: members,
      got: () => membersOf(fields, "X-Forwarded-For"),
      likely: (came) => (came.kind === "returned" ? hopsShow(came.value, members) : undefined),
      lookAt: "forwarding.ts, X-Forwarded-For and appended",
      hint: 1,
    });
  }
});

test("Via grows by this hop, with the protocol that came in", async () => {
  const fields = ["Via: 1.0 edge", "Via: 1.1 mesh, 1.0 edge"];
  await check({
    sent: fields.join("\n"),
    expected: ["1.0 edge", "1.1 mesh", "1.0 edge", "1.1 cell-router"],
    got: () => membersOf(fields, "Via"),
    likely: (came) =>
      came.kind === "returned"
        ? hopsShow(came.value, ["1.0 edge", "1.1 mesh", "1.0 edge", "1.1 cell-router"])
        : undefined,
    lookAt: "forwarding.ts, appended",
    hint: 1,
  });
});

test("Via names the version that the client spoke", async () => {
  await check({
    sent: "an HTTP/1.0 request, then one with Via: 1.1 mesh",
    expected: [["1.0 cell-router"], ["1.1 mesh", "1.0 cell-router"]],
    got: () => [[], ["Via: 1.1 mesh"]].map((fields) => membersOf(fields, "Via", { httpVersion: "1.0" })),
    likely: (came) => {
      if (came.kind !== "returned") return undefined;
      if (came.value.flat().includes("1.1 cell-router"))
        return "This hop says 1.1, but the client spoke 1.0.";
      return hopsShow(came.value[1] ?? [], ["1.1 mesh", "1.0 cell-router"]);
    },
    lookAt: "forwarding.ts, upstreamHeaders, Via",
  });
});

test("X-Forwarded-Host and X-Forwarded-Proto say what this router saw, whatever came", async () => {
  const fields = [
    "X-Forwarded-Host: admin.example",
    "x-forwarded-proto: https",
    "x-forwarded-host: b.example",
  ];
  await check({
    sent: `${fields.join("\n")}\nover plain HTTP, for the host shop.example`,
    expected: { "X-Forwarded-Host": ["shop.example"], "X-Forwarded-Proto": ["http"] },
    got: () => reaching(fields, ["X-Forwarded-Host", "X-Forwarded-Proto"]),
    likely: ifGot(
      [
        (got) => Object.values(got).some((values) => values.length === 0),
        "One of the two fields doesn't reach the cell: its list is empty.",
      ],
      [
        (got) => ["admin.example", "b.example"].some((host) => got["X-Forwarded-Host"]?.includes(host)),
        "The cell gets the client's X-Forwarded-Host.",
      ],
      [
        (got) => got["X-Forwarded-Proto"]?.includes("https") === true,
        "The cell gets the client's X-Forwarded-Proto, although this request came over plain HTTP.",
      ],
    ),
    lookAt: "forwarding.ts, ownedUpstream and X-Forwarded-Host",
    hint: 2,
  });
});

test("a decision that a client made up does not reach the cell", async () => {
  const fields = ["X-Routed-To: visa", "X-ROUTE-REASON: dedicated", "x-routed-to: acme"];
  await check({
    sent: fields.join("\n"),
    expected: { "X-Routed-To": [], "X-Route-Reason": [] },
    got: () => reaching(fields, ["X-Routed-To", "X-Route-Reason"]),
    likely: ifGot([
      (got) => Object.values(got).some((values) => values.length > 0),
      "The decision that the client made up passed. To the cell it looks like the router's.",
    ]),
    lookAt: "forwarding.ts, ownedUpstream",
    hint: 2,
  });
});

test("the routing key and the request id reach the cell once", async () => {
  const fields = [
    "X-Routing-Key: acme",
    "x-routing-key: acme",
    "Connection: x-routing-key",
    "x-request-id: another",
    "X-Request-Id: id-1",
  ];
  await check({
    sent: `${fields.join("\n")}\nThe router has decided for the id id-1.`,
    expected: { "X-Routing-Key": ["acme"], "X-Request-Id": ["id-1"] },
    got: () => reaching(fields, ["X-Routing-Key", "X-Request-Id"]),
    likely: ifGot(
      [
        (got) => Object.values(got).some((values) => values.length === 0),
        "One of the two fields doesn't reach the cell at all.",
      ],
      [
        (got) => got["X-Request-Id"]?.includes("another") === true,
        "The cell gets another request id than the one for which the router decided.",
      ],
      [
        (got) => Object.values(got).some((values) => values.length > 1),
        "One of the two fields reaches the cell more than once.",
      ],
    ),
    lookAt: "forwarding.ts, ownedUpstream",
  });
});

const lookAtId = "forwarding.ts, requestIdOf";
const idShown = (id: string) => (id.length > 100 ? `${id.length} times the letter x` : printable(id));
const idsShown = (ids: readonly string[]) =>
  `X-Request-Id, one after the other:\n${ids.map(idShown).join("\n")}`;

test("a request id that is safe to log is kept", async () => {
  const ids = ["Order_42.retry-1", "x".repeat(128), "x".repeat(127), "7", "Z", ".", "-", "_", "__proto__"];
  await check({
    sent: idsShown(ids),
    expected: ids,
    got: () => ids.map((id, i) => requestIdOf([i % 2 === 0 ? "X-Request-Id" : "x-request-id", id])),
    likely: ifGot(
      [
        (got) => got.every((id, i) => (id === undefined) === (i % 2 === 1)),
        "Every second id is lost: their field name was written in lower case.",
      ],
      [
        (got) => got.includes(undefined),
        "Each `undefined` is an id that was refused, although it is safe to log.",
      ],
      [(got) => got.some((id, i) => id !== ids[i]), "An id came back that is not the one that was sent."],
    ),
    lookAt: lookAtId,
  });
});

test("a request id that is not safe to log is not used at all", async () => {
  const ids = [
    'a","admin":"true',
    "a b",
    " a",
    "a ",
    "a\n",
    "a\tb",
    "<script>",
    "a/b",
    "a:b",
    "a+b",
    "~",
    "id@host",
    "caf\u00e9",
    "one, two",
    "x".repeat(129),
    "x".repeat(4_000),
    "",
  ];
  await check({
    sent: idsShown(ids),
    expected: Object.fromEntries(ids.map((id) => [idShown(id), undefined])),
    got: () => Object.fromEntries(ids.map((id) => [idShown(id), requestIdOf(["X-Request-Id", id])])),
    likely: ifGot(
      [
        (got) => Object.values(got).some((id) => id !== undefined && !ids.includes(id)),
        "An id came back that nobody sent: an unsafe one was changed, and then used.",
      ],
      [
        (got) => Object.entries(got).every(([id, kept]) => (kept !== undefined) === id.includes("times")),
        "The ids with unsafe characters were refused, but the ids that are too long were kept.",
      ],
      [
        (got) => Object.values(got).some((id) => id !== undefined),
        "Each id that has a value here is unsafe, but was kept as it came.",
      ],
    ),
    lookAt: lookAtId,
    hint: 3,
  });
});

test("two different request ids are as good as none", async () => {
  for (const ids of [
    ["one", "two"],
    ["two", "one"],
    ["one", "two", "one"],
    ["one", "two", "three"],
    ["one", "one", "two"],
    ["one", "ONE"],
    ["<script>", "one"],
  ]) {
    await check({
      sent: ids.map((id) => `X-Request-Id: ${id}`).join("\n"),
      expected: undefined,
      got: () => requestIdOf(ids.flatMap((id, i) => [i === 1 ? "x-request-id" : "X-Request-Id", id])),
      likely: ifGot(
        [
          (id) => id !== undefined && ids.includes(id),
          "One of the ids was chosen. Would the next program on the way choose the same one?",
        ],
        [(id) => id !== undefined, "The id that was used is none of those that were sent."],
      ),
      lookAt: lookAtId,
      hint: 3,
    });
  }
});

test("a request without a request id has none", async () => {
  await check({
    sent: "Accept: */*",
    expected: undefined,
    got: () => requestIdOf(["Accept", "*/*"]),
    likely: ifGot([(id) => id !== undefined, "The request has no id, but one was made up here."]),
    lookAt: lookAtId,
  });
});
