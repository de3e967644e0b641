import { describe, expect, test } from "vitest";
import { decisionLines, routingLines, upstreamLines } from "../src/headers.ts";
import { RequestHead } from "../src/http1/request-head.ts";
import { PrerenderedCache } from "../src/trim/prerendered-headers.ts";

function request(lines: string, version = "1.1"): RequestHead {
  const bytes = Buffer.from(`GET / HTTP/${version}\r\n${lines}\r\n`, "latin1");
  const head = new RequestHead();
  expect(head.parse(bytes, 0, bytes.length)).toBeUndefined();
  return head;
}

const context = { clientAddress: "192.0.2.7", requestId: "id-1", rawRoutingKey: "acme" };

describe("lines for the cell", () => {
  test("say who asked, for which host and over what", () => {
    expect(upstreamLines(request("Host: shop.example\r\n"), context)).toBe(
      "X-Routing-Key: acme\r\nX-Request-Id: id-1\r\nX-Forwarded-For: 192.0.2.7\r\n" +
        "X-Forwarded-Proto: http\r\nVia: 1.1 cell-router\r\nX-Forwarded-Host: shop.example\r\n",
    );
  });

  test("grow the lists that came, and tell the client's version", () => {
    const lines = upstreamLines(
      request("X-Forwarded-For: 198.51.100.1\r\nVia: 1.1 edge\r\nvia: 1.0 old\r\n", "1.0"),
      context,
    );
    expect(lines).toContain("X-Forwarded-For: 198.51.100.1, 192.0.2.7\r\n");
    expect(lines).toContain("Via: 1.1 edge, 1.0 old, 1.0 cell-router\r\n");
    expect(lines).not.toContain("X-Forwarded-Host");
  });
});

describe("lines for the client", () => {
  const fields = { requestId: "id-1", routedTo: "tier1", routeReason: "tier" };

  test("name the placement and the reason", () => {
    expect(routingLines({ ...fields, retries: 0 })).toBe(
      "X-Request-Id: id-1\r\nX-Routed-To: tier1\r\nX-Route-Reason: tier\r\n",
    );
  });

  test("name whom another one stands in for, and the retries", () => {
    const failover = { from: "tier1", reason: "unhealthy" };
    expect(routingLines({ ...fields, routedTo: "tier2", failover, retries: 2 })).toBe(
      "X-Request-Id: id-1\r\nX-Routed-To: tier2\r\nX-Route-Reason: tier\r\n" +
        "X-Failover-From: tier1\r\nX-Failover-Reason: unhealthy\r\nX-Retry-Count: 2\r\n",
    );
  });
});

describe("texts of a decision", () => {
  const placement = { name: "tier1", kind: "tier", url: "http://127.0.0.1:9001" } as const;

  test("are made once for a placement and a reason", () => {
    const cache = new PrerenderedCache();
    const first = cache.of({ placement, reason: "tier" });
    expect(cache.of({ placement, reason: "tier" })).toBe(first);
    expect(cache.of({ placement, reason: "default" }).lines).toBe(decisionLines("tier1", "default"));
    expect(first.lines).toBe(decisionLines("tier1", "tier"));
  });

  test("follow the table: the same name at another cell has texts of its own", () => {
    const cache = new PrerenderedCache();
    cache.of({ placement, reason: "tier" });
    const moved = { ...placement, url: "http://127.0.0.1:9009" };
    expect(cache.of({ placement: moved, reason: "tier" }).log).toContain("http://127.0.0.1:9009");
  });
});
