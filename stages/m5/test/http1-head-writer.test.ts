import { describe, expect, test } from "vitest";
import { Field } from "../src/http1/field-names.ts";
import { appended, downstreamHead, upstreamHead } from "../src/http1/head-writer.ts";
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
  expect(head.parse(bytes, 0, text.length, "GET", bytes.length)).toBeUndefined();
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

describe("the head for the client", () => {
  test("keeps repeated fields apart and takes the body that came along", () => {
    const head = response(
      "HTTP/1.1 200 Fine\r\nSet-Cookie: a\r\nKeep-Alive: 1\r\nSet-Cookie: b\r\nContent-Length: 2\r\n\r\n",
      "ok",
    );
    expect(downstreamHead(head, "as-came", "X-Routed-To: visa\r\n")).toBe(
      "HTTP/1.1 200 Fine\r\nX-Routed-To: visa\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 2\r\n\r\nok",
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
