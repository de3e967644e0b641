import { test } from "vitest";
import { type ForwardingContext, valuesOf } from "../../../../stages/m1/src/headers.ts";
import { check } from "../../../support/check.ts";
import { requestIdOf, upstreamHeaders } from "../starter/forwarding.ts";

const lookAt = "forwarding.ts, upstreamHeaders";
const context: ForwardingContext = {
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
  over: Partial<ForwardingContext> = {},
) => {
  const sent = upstreamHeaders(rawOf(fields), { ...context, ...over });
  return Object.fromEntries(names.map((name) => [name, valuesOf(sent, name.toLowerCase())]));
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
    likely: "One of the router's own fields is missing.",
    lookAt,
  });
});

test("the client's own fields pass, and its Host is left to the connection", async () => {
  await check({
    sent: "Host: shop.example\nCookie: a=1\nCookie: b=2",
    expected: { Cookie: ["a=1", "b=2"], Host: [] },
    got: () => reaching(["Host: shop.example", "Cookie: a=1", "Cookie: b=2"], ["Cookie", "Host"]),
    likely: "The connection to the cell writes Host itself; a second one makes the request ambiguous.",
    lookAt,
  });
});

test("a request without Host gets no X-Forwarded-Host", async () => {
  await check({
    sent: "an HTTP/1.0 request without Host",
    expected: { "X-Forwarded-Host": [] },
    got: () => reaching([], ["X-Forwarded-Host"], { host: undefined, httpVersion: "1.0" }),
    likely: "A host was made up, or the word undefined was sent.",
    lookAt,
  });
});

test("X-Forwarded-For is one list, and this hop is its last member", async () => {
  const fields = ["X-Forwarded-For: 198.51.100.1", "x-forwarded-for: 198.51.100.2", "X-Forwarded-For: "];
  await check({
    sent: `${fields.join("\n")}\nfrom 192.0.2.7`,
    expected: { "X-Forwarded-For": ["198.51.100.1, 198.51.100.2, 192.0.2.7"] },
    got: () => reaching(fields, ["X-Forwarded-For"]),
    likely: "Addresses were lost on this hop, or stand in another order than the hops.",
    lookAt: "forwarding.ts, X-Forwarded-For and appended",
    hint: 1,
  });
});

test("Via grows by this hop, with the protocol that came in", async () => {
  const fields = ["Via: 1.0 edge", "Via: 1.1 mesh"];
  await check({
    sent: fields.join("\n"),
    expected: { Via: ["1.0 edge, 1.1 mesh, 1.1 cell-router"] },
    got: () => reaching(fields, ["Via"]),
    likely: "The list came as two fields, and one of them is gone.",
    lookAt: "forwarding.ts, appended",
    hint: 1,
  });
});

test("Via names the version that the client spoke", async () => {
  await check({
    sent: "an HTTP/1.0 request",
    expected: { Via: ["1.0 cell-router"] },
    got: () => reaching([], ["Via"], { httpVersion: "1.0" }),
    likely: "The version is the router's own.",
    lookAt: "forwarding.ts, upstreamHeaders, Via",
  });
});

test("X-Forwarded-Host and X-Forwarded-Proto say what this router saw, whatever came", async () => {
  const fields = ["X-Forwarded-Host: admin.example", "x-forwarded-proto: https"];
  await check({
    sent: `${fields.join("\n")}\nover plain HTTP, for the host shop.example`,
    expected: { "X-Forwarded-Host": ["shop.example"], "X-Forwarded-Proto": ["http"] },
    got: () => reaching(fields, ["X-Forwarded-Host", "X-Forwarded-Proto"]),
    likely: "A client wrote a fact that only the router can know.",
    lookAt: "forwarding.ts, ownedUpstream and X-Forwarded-Host",
    hint: 2,
  });
});

test("a decision that a client made up does not reach the cell", async () => {
  const fields = ["X-Routed-To: visa", "X-ROUTE-REASON: dedicated"];
  await check({
    sent: fields.join("\n"),
    expected: { "X-Routed-To": [], "X-Route-Reason": [] },
    got: () => reaching(fields, ["X-Routed-To", "X-Route-Reason"]),
    likely: "The cell cannot tell the client's words from the router's.",
    lookAt: "forwarding.ts, ownedUpstream",
    hint: 2,
  });
});

test("the routing key reaches the cell once", async () => {
  await check({
    sent: "X-Routing-Key: acme\nx-routing-key: acme\nConnection: x-routing-key",
    expected: { "X-Routing-Key": ["acme"] },
    got: () =>
      reaching(
        ["X-Routing-Key: acme", "x-routing-key: acme", "Connection: x-routing-key"],
        ["X-Routing-Key"],
      ),
    likely: "The client's copies travel beside the router's own.",
    lookAt: "forwarding.ts, ownedUpstream",
  });
});

const lookAtId = "forwarding.ts, requestIdOf";

test("a request id that is safe to log is kept", async () => {
  const longest = "x".repeat(128);
  await check({
    sent: "X-Request-Id: Order_42.retry-1, then one of 128 characters, then the same one twice",
    expected: ["Order_42.retry-1", longest, "twin"],
    got: () =>
      [
        ["X-Request-Id", "Order_42.retry-1"],
        ["x-request-id", longest],
        ["X-Request-Id", "twin", "X-Request-Id", "twin"],
      ].map(requestIdOf),
    likely: "The client can no longer find its request in the log.",
    lookAt: lookAtId,
  });
});

test("a request id that is not safe to log is not used at all", async () => {
  const ids = ['a","admin":"true', "a b", "<script>", "caf\u00e9", "x".repeat(129), ""];
  await check({
    sent: `X-Request-Id: ${ids.map((id) => (id.length > 100 ? "xxx… (129 characters)" : id)).join("\nX-Request-Id: ")}`,
    expected: ids.map(() => undefined),
    got: () => ids.map((id) => requestIdOf(["X-Request-Id", id])),
    likely: "Something that a stranger wrote goes into logs, tickets and other people's tools.",
    lookAt: lookAtId,
    hint: 3,
  });
});

test("two different request ids are as good as none", async () => {
  await check({
    sent: "X-Request-Id: one\nX-Request-Id: two",
    expected: undefined,
    got: () => requestIdOf(["X-Request-Id", "one", "X-Request-Id", "two"]),
    likely: "One of the two was chosen. What will the next program on the way choose?",
    lookAt: lookAtId,
    hint: 3,
  });
});
