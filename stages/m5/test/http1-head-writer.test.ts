import { describe, expect, test } from "vitest";
import { Field } from "../src/http1/field-names.ts";
import { FieldSection } from "../src/http1/field-section.ts";
import { appended, downstreamHead, passedTrailers, upstreamHead } from "../src/http1/head-writer.ts";
import { RequestHead } from "../src/http1/request-head.ts";
import { ResponseHead } from "../src/http1/response-head.ts";

function request(text: string): RequestHead {
  const bytes = Buffer.from(text, "latin1");
  const head = new RequestHead();
  expect(head.parse(bytes, 0, bytes.length)).toBeUndefined();
  return head;
}

function response(text: string, body = ""): ResponseHead {
  const bytes = Buffer.from(text + body, "latin1");
  const head = new ResponseHead();
  expect(head.parse(bytes, 0, text.length, "GET")).toBeUndefined();
  return head;
}

describe("the head for the cell", () => {
  test("keeps end-to-end fields as they came, in order, behind the router's own", () => {
    const head = request("GET /a?b HTTP/1.1\r\nHost: a\r\nB:1\r\nb:  2 \r\nCookie: c\r\n\r\n");
    expect(upstreamHead(head, "Host: cell\r\n")).toBe(
      "GET /a?b HTTP/1.1\r\nHost: cell\r\nB:1\r\nb:  2 \r\nCookie: c\r\n\r\n",
    );
  });

  test("keeps nothing that belongs to the client's connection or that the router writes itself", () => {
    const lines = [
      "Host: a",
      "Connection: keep-alive, X-Drop, X-Routing-Key, Content-Length, Host",
      "Keep-Alive: timeout=5",
      "Proxy-Connection: keep-alive",
      "TE: trailers",
      "Upgrade: h2c",
      "HTTP2-Settings: x",
      "Expect: 100-continue",
      "Proxy-Authorization: x",
      "X-DROP: 1",
      "X-Forwarded-For: 1.2.3.4",
      "x-routing-key: visa",
      "Via: 1.0 x",
      "Content-Length: 3",
      "Kept: 1",
    ];
    const head = request(`POST / HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
    expect(upstreamHead(head, "")).toBe("POST / HTTP/1.1\r\nContent-Length: 3\r\nKept: 1\r\n\r\n");
  });

  // A CGI or WSGI cell sees one name, HTTP_X_ROUTING_KEY, for all of these, and cannot tell which is the router's.
  test.each([
    "X_Routing_Key",
    "x_routing-key",
    "X-ROUTING_KEY",
    "X_Forwarded_For",
    "x-forwarded_host",
    "X_Forwarded_Proto",
    "X_Request_Id",
    "X_Routed_To",
    "X_Route_Reason",
  ])("keeps no %s: a cell could take it for the router's own field", (name) => {
    const head = request(`GET / HTTP/1.1\r\nHost: a\r\n${name}: visa\r\nKept: 1\r\n\r\n`);
    expect(upstreamHead(head, "")).toBe("GET / HTTP/1.1\r\nKept: 1\r\n\r\n");
  });

  test("keeps other names with underscores", () => {
    const lines =
      "X_Routing_Keys: 1\r\nX_Custom: 1\r\nContent_Type: a\r\nX_Retry_Count: 1\r\nX__Routing_Key: 1\r\n";
    const head = request(`GET / HTTP/1.1\r\nHost: a\r\n${lines}\r\n`);
    expect(upstreamHead(head, "")).toBe(`GET / HTTP/1.1\r\n${lines}\r\n`);
  });

  test.each([
    ["5", "4"],
    ["1", "0"],
    ["007", "6"],
    ["99999999999999999999", `${Number.MAX_SAFE_INTEGER - 1}`],
  ])("counts Max-Forwards of OPTIONS down: %s is %s", (came, goes) => {
    const head = request(`OPTIONS / HTTP/1.1\r\nHost: a\r\nmax-forwards: ${came}\r\nKept: 1\r\n\r\n`);
    expect(upstreamHead(head, "")).toBe(`OPTIONS / HTTP/1.1\r\nMax-Forwards: ${goes}\r\nKept: 1\r\n\r\n`);
  });

  test.each(["GET", "OPTIONS"])("leaves every other Max-Forwards of %s alone", (method) => {
    const others = [
      "Max-Forwards: x\r\n",
      "Max-Forwards:\r\n",
      "Max-Forwards: 1\r\nMax-Forwards: 1\r\n",
      "Max-Forwards: -1\r\n",
    ];
    for (const lines of method === "GET"
      ? [...others, "Max-Forwards: 5\r\n", "Max-Forwards: 0\r\n"]
      : others) {
      const head = request(`${method} / HTTP/1.1\r\nHost: a\r\n${lines}\r\n`);
      expect([head.maxForwards, upstreamHead(head, "")]).toEqual([
        undefined,
        `${method} / HTTP/1.1\r\n${lines}\r\n`,
      ]);
    }
  });

  test("is HTTP/1.1 in origin form, whatever came", () => {
    expect(upstreamHead(request("GET / HTTP/1.0\r\n\r\n"), "")).toBe("GET / HTTP/1.1\r\n\r\n");
    const head = request("GET http://b?q HTTP/1.1\r\nHost: a\r\n\r\n");
    expect([head.host, upstreamHead(head, "")]).toEqual(["b", "GET /?q HTTP/1.1\r\n\r\n"]);
  });

  test("states the coding anew", () => {
    const head = request("POST / HTTP/1.1\r\nHost: a\r\nA: 1\r\ntransfer-encoding: CHUNKED\r\n\r\n");
    expect(upstreamHead(head, "")).toBe("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nA: 1\r\n\r\n");
  });

  test("extends lists by this hop", () => {
    const { fields } = request(
      "GET / HTTP/1.0\r\nX-Forwarded-For: 1\r\nVia:\r\nX-Forwarded-For: 2, 3\r\n\r\n",
    );
    expect(appended(fields, Field.xForwardedFor, "4")).toBe("1, 2, 3, 4");
    expect(appended(fields, Field.via, "1.0 cell-router")).toBe("1.0 cell-router");
    expect(appended(fields, Field.te, "x")).toBe("x");
  });
});

describe("trailers", () => {
  test("bring nothing that the router vouches for, under no spelling", () => {
    const section = new FieldSection();
    const text = "X-Routing-Key: visa\r\nX_Routing_Key: visa\r\nX_Request_Id: 1\r\nKept: 1\r\n\r\n";
    expect(section.parse(Buffer.from(text, "latin1"), 0, 0)).toBeUndefined();
    section.text = text;
    expect(passedTrailers(section, { close: false, keepAlive: false, nominated: [] })).toBe("Kept: 1\r\n");
  });
});

describe("what a client expects", () => {
  test.each<[string, "none" | "continue" | "other"]>([
    ["", "none"],
    ["Expect:\r\n", "none"],
    ["Expect: ,\r\n", "none"],
    ["Expect: 100-continue\r\n", "continue"],
    ["expect: 100-Continue , 100-CONTINUE\r\n", "continue"],
    ["Expect: 100-continue\r\nExpect: 100-continue\r\n", "continue"],
    ["Expect: 200-ok\r\n", "other"],
    ["Expect: 100-continue, 200-ok\r\n", "other"],
    ["Expect: 100-continue\r\nExpect: x\r\n", "other"],
    ["Expect: 100-continue;q=1\r\n", "other"],
    ["Expect: 100-continue x\r\n", "other"],
  ])("%j is %s, and nothing in HTTP/1.0", (lines, expectation) => {
    expect(request(`POST / HTTP/1.1\r\nHost: a\r\n${lines}\r\n`).expectation).toBe(expectation);
    expect(request(`POST / HTTP/1.0\r\nHost: a\r\n${lines}\r\n`).expectation).toBe("none");
  });
});

describe("the head for the client", () => {
  test("keeps repeated fields apart and ends where the body begins", () => {
    const head = response(
      "HTTP/1.1 200 Fine\r\nSet-Cookie: a\r\nKeep-Alive: 1\r\nSet-Cookie: b\r\nContent-Length: 2\r\n\r\n",
      "ok",
    );
    expect(downstreamHead(head, "as-came", "X-Routed-To: visa\r\n")).toBe(
      "HTTP/1.1 200 Fine\r\nX-Routed-To: visa\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 2\r\n\r\n",
    );
  });

  test("does not let the cell speak for the router or for the connection", () => {
    const head = response(
      "HTTP/1.1 200 OK\r\nConnection: close, X-A, Set-Cookie\r\nX-A: 1\r\nSet-Cookie: s\r\nX-Routed-To: no\r\nx-request-id: no\r\nContent-Length: 0\r\n\r\n",
    );
    expect(downstreamHead(head, "as-came", "")).toBe(
      "HTTP/1.1 200 OK\r\nSet-Cookie: s\r\nContent-Length: 0\r\n\r\n",
    );
  });

  test("is HTTP/1.1 with a whole status line, whatever came", () => {
    expect(downstreamHead(response("HTTP/1.0 200 OK\r\n\r\n"), "until-close", "")).toBe(
      "HTTP/1.1 200 OK\r\n\r\n",
    );
    expect(downstreamHead(response("HTTP/1.1 404\r\n\r\n"), "until-close", "")).toBe("HTTP/1.1 404 \r\n\r\n");
  });

  test("keeps its Date, which no hop may name away", () => {
    const date = "Date: Tue, 29 Nov 2025 12:00:00 GMT\r\n";
    const head = response(`HTTP/1.1 200 OK\r\nConnection: close, Date\r\n${date}Content-Length: 0\r\n\r\n`);
    expect(downstreamHead(head, "as-came", "")).toBe(`HTTP/1.1 200 OK\r\n${date}Content-Length: 0\r\n\r\n`);
  });

  test("is not spoken for by an interim response either", () => {
    const own = [
      "X-Request-Id",
      "X-Routed-To",
      "X-Route-Reason",
      "X-Failover-From",
      "X-Failover-Reason",
      "X-Retry-Count",
    ];
    const lines = own.map((name) => `${name}: forged\r\n`).join("");
    const head = response(`HTTP/1.1 103 Early Hints\r\n${lines}Link: </a>\r\n\r\n`);
    expect(downstreamHead(head, "as-came", "")).toBe("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
  });

  test("states the framing that the client gets", () => {
    const head = response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: 1\r\n\r\n");
    expect(downstreamHead(head, "chunked", "")).toBe(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: 1\r\n\r\n",
    );
    expect(downstreamHead(head, "until-close", "")).toBe("HTTP/1.1 200 OK\r\nA: 1\r\n\r\n");
  });

  test("gives a 204 no length, and a 304 the one it came with", () => {
    expect(downstreamHead(response("HTTP/1.1 204 N\r\nContent-Length: 0\r\n\r\n"), "as-came", "")).toBe(
      "HTTP/1.1 204 N\r\n\r\n",
    );
    const notModified = response("HTTP/1.1 304 N\r\nContent-Length: 9\r\n\r\n");
    expect(downstreamHead(notModified, "as-came", "")).toBe("HTTP/1.1 304 N\r\nContent-Length: 9\r\n\r\n");
  });
});
