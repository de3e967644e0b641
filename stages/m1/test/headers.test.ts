import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { downstreamHeaders, endToEnd, endToEndTrailers, upstreamHeaders, valuesOf } from "../src/headers.ts";

const nothingOwned: ReadonlySet<string> = new Set();
const context = {
  clientAddress: "192.0.2.7",
  host: "shop.example",
  httpVersion: "1.1",
  requestId: "id-1",
  rawRoutingKey: "acme",
};

describe("endToEnd", () => {
  test.each([
    "Connection",
    "Proxy-Connection",
    "Keep-Alive",
    "TE",
    "Transfer-Encoding",
    "Upgrade",
    "Expect",
    "Proxy-Authorization",
    "Proxy-Authenticate",
  ])("removes %s, whatever its case", (name) => {
    const raw = ["Accept", "*/*", name.toUpperCase(), "x", name.toLowerCase(), "y"];
    expect(endToEnd(raw, nothingOwned)).toEqual(["Accept", "*/*"]);
  });

  test("removes every field that any of several Connection fields nominates", () => {
    const raw = [
      "X-One",
      "1",
      "Connection",
      "close, x-one",
      "X-Two",
      "2",
      "connection",
      " X-TWO ,,",
      "X-Three",
      "3",
    ];
    expect(endToEnd(raw, nothingOwned)).toEqual(["X-Three", "3"]);
  });

  test("keeps the framing and the cookies that Connection tries to remove", () => {
    const raw = ["Connection", "content-length, set-cookie", "Content-Length", "5", "Set-Cookie", "a=1"];
    expect(endToEnd(raw, nothingOwned)).toEqual(["Content-Length", "5", "Set-Cookie", "a=1"]);
  });

  test("keeps order, case, repetition and bytes of all other fields, and leaves its input alone", () => {
    const name = fc.constantFrom("Accept", "set-cookie", "X-A", "x-a", "Cookie", "__proto__", "constructor");
    const value = fc.string({
      unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)),
    });
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value)), (fields) => {
        const raw = Object.freeze(fields.flat());
        expect(endToEnd(raw, nothingOwned)).toEqual(raw);
      }),
    );
  });
});

describe("upstreamHeaders", () => {
  test("appends to the lists that came and overwrites the facts that the router states", () => {
    const raw = [
      "X-Forwarded-For",
      "198.51.100.1",
      "x-forwarded-for",
      "198.51.100.2",
      "Via",
      "1.0 edge",
      "X-Forwarded-Host",
      "forged.example",
      "X-Forwarded-Proto",
      "https",
      "X-Request-Id",
      "forged",
    ];
    const sent = upstreamHeaders(raw, context);
    expect(valuesOf(sent, "x-forwarded-for")).toEqual(["198.51.100.1, 198.51.100.2, 192.0.2.7"]);
    expect(valuesOf(sent, "via")).toEqual(["1.0 edge, 1.1 cell-router"]);
    expect(valuesOf(sent, "x-forwarded-host")).toEqual(["shop.example"]);
    expect(valuesOf(sent, "x-forwarded-proto")).toEqual(["http"]);
    expect(valuesOf(sent, "x-request-id")).toEqual(["id-1"]);
  });

  test("sends the routing key once, even where Connection nominates it", () => {
    const raw = ["X-Routing-Key", "acme", "Connection", "X-Routing-Key", "x-routing-key", "acme"];
    expect(valuesOf(upstreamHeaders(raw, context), "x-routing-key")).toEqual(["acme"]);
  });

  test("leaves Host to the connection and sends no decision that a client made up", () => {
    const raw = ["Host", "a", "X-Routed-To", "visa", "X-Route-Reason", "dedicated"];
    const sent = upstreamHeaders(raw, { ...context, host: undefined });
    for (const name of ["host", "x-routed-to", "x-route-reason", "x-forwarded-host"]) {
      expect(valuesOf(sent, name)).toEqual([]);
    }
  });
});

describe("downstreamHeaders", () => {
  const routing = { requestId: "id-1", routedTo: "tier1", routeReason: "tier" };

  test("replaces every copy of the router's own fields that a cell sent", () => {
    const raw = [
      "x-routed-to",
      "visa",
      "X-ROUTED-TO",
      "tier2",
      "X-Route-Reason",
      "dedicated",
      "X-Request-Id",
      "other",
    ];
    expect(downstreamHeaders(raw, routing, { lengthPasses: true, trailersPass: true })).toEqual([
      "X-Request-Id",
      "id-1",
      "X-Routed-To",
      "tier1",
      "X-Route-Reason",
      "tier",
    ]);
  });

  test("drops a length and an announcement of trailers where they would be untrue", () => {
    const raw = ["Content-Length", "5", "Trailer", "Digest"];
    const kept = downstreamHeaders(raw, routing, { lengthPasses: false, trailersPass: false });
    expect(valuesOf(kept, "content-length")).toEqual([]);
    expect(valuesOf(kept, "trailer")).toEqual([]);
  });
});

test("endToEndTrailers keeps a checksum and drops what frames, routes or describes the connection", () => {
  const raw = ["Digest", "abc", "Content-Length", "9", "Transfer-Encoding", "chunked", "X-Routed-To", "visa"];
  expect(endToEndTrailers(raw)).toEqual([["Digest", "abc"]]);
});
