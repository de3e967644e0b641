import { describe, expect, test } from "vitest";
import { type RawRequest, readRequestHead } from "../src/request-head.ts";

const good: RawRequest = {
  method: "GET",
  target: "/a?b=c",
  httpVersion: "1.1",
  rawHeaders: ["Host", "shop.example", "X-Routing-Key", "acme"],
};

function code(changes: Partial<RawRequest>): string {
  const result = readRequestHead({ ...good, ...changes });
  return result.ok ? "ok" : result.code;
}

function withFields(...fields: string[]): Partial<RawRequest> {
  return { rawHeaders: [...good.rawHeaders, ...fields] };
}

describe("readRequestHead", () => {
  test("reads path, host and routing key", () => {
    expect(readRequestHead(good)).toMatchObject({
      ok: true,
      head: {
        path: "/a?b=c",
        host: "shop.example",
        routingKey: "acme",
        hasBody: false,
        expectsContinue: false,
      },
    });
  });

  test.each<[string, Partial<RawRequest>, string]>([
    ["no routing key", { rawHeaders: ["Host", "a"] }, "missing-routing-key"],
    ["an empty routing key", { rawHeaders: ["Host", "a", "X-Routing-Key", ""] }, "missing-routing-key"],
    ["two different routing keys", withFields("x-routing-key", "globex"), "ambiguous-routing-key"],
    ["the same routing key twice", withFields("x-routing-key", "acme"), "ok"],
    ["a routing key of 256 bytes", { rawHeaders: ["Host", "a", "X-Routing-Key", "k".repeat(256)] }, "ok"],
    [
      "a routing key of 257 bytes",
      { rawHeaders: ["Host", "a", "X-Routing-Key", "k".repeat(257)] },
      "routing-key-too-long",
    ],
    ["TRACE", { method: "TRACE" }, "method-not-allowed"],
    ["two Host fields", withFields("host", "shop.example"), "ambiguous-host"],
    ["no Host field in HTTP/1.1", { rawHeaders: ["X-Routing-Key", "acme"] }, "ambiguous-host"],
    ["no Host field in HTTP/1.0", { httpVersion: "1.0", rawHeaders: ["X-Routing-Key", "acme"] }, "ok"],
    ["a Host that holds a list", { rawHeaders: ["Host", "a, b", "X-Routing-Key", "acme"] }, "ambiguous-host"],
    [
      "a transfer coding in HTTP/1.0",
      { ...withFields("Transfer-Encoding", "chunked"), httpVersion: "1.0" },
      "malformed-request",
    ],
    ["chunked", withFields("Transfer-Encoding", "Chunked"), "ok"],
    [
      "another transfer coding",
      withFields("Transfer-Encoding", "gzip, chunked"),
      "transfer-coding-not-supported",
    ],
    ["a transfer coding without chunked", withFields("Transfer-Encoding", "gzip"), "malformed-request"],
    ["chunked before another coding", withFields("Transfer-Encoding", "chunked, gzip"), "malformed-request"],
    [
      "chunked before another coding, in two fields",
      withFields("Transfer-Encoding", "chunked", "transfer-encoding", "identity"),
      "malformed-request",
    ],
    [
      "a coding that only ends like chunked",
      withFields("Transfer-Encoding", "xchunked"),
      "malformed-request",
    ],
    [
      "chunked twice",
      withFields("Transfer-Encoding", "chunked", "transfer-encoding", "chunked"),
      "transfer-coding-not-supported",
    ],
    ["the target *", { method: "OPTIONS", target: "*" }, "target-not-supported"],
    ["OPTIONS without a path", { method: "OPTIONS", target: "http://a" }, "target-not-supported"],
    ["a target without a slash", { target: "a/b" }, "unsupported-target"],
    ["a target with a fragment", { target: "/a#b" }, "unsupported-target"],
    ["an absolute target with a fragment", { target: "http://a/#b" }, "unsupported-target"],
    ["an absolute target of another scheme", { target: "ftp://a/b" }, "unsupported-target"],
    ["an absolute target with user information", { target: "http://u:p@a/b" }, "unsupported-target"],
  ])("judges %s", (_, changes, expected) => {
    expect(code(changes)).toBe(expected);
  });

  test.each([
    ["http://other.example/x?y", "/x?y", "other.example"],
    ["HTTP://other.example:81", "/", "other.example:81"],
    ["http://other.example?y", "/?y", "other.example"],
  ])("takes path and host of %s from the target, not from Host", (target, path, host) => {
    expect(readRequestHead({ ...good, target })).toMatchObject({ ok: true, head: { path, host } });
  });

  test.each<[string[], boolean]>([
    [["Content-Length", "0"], false],
    [["Content-Length", "1"], true],
    [["Transfer-Encoding", "chunked"], true],
  ])("finds a body by its framing: %j", (fields, hasBody) => {
    expect(readRequestHead({ ...good, ...withFields(...fields) })).toMatchObject({
      ok: true,
      head: { hasBody },
    });
  });

  test("reads UTF-8 keys as text and never lets bytes that are not UTF-8 stand for a listed key", () => {
    const key = (raw: string) => {
      const result = readRequestHead({ ...good, rawHeaders: ["Host", "a", "X-Routing-Key", raw] });
      return result.ok ? result.head.routingKey : result.code;
    };
    expect(key(Buffer.from("münchen", "utf8").toString("latin1"))).toBe("münchen");
    expect(key("m\xfcnchen")).toBe("m\ufffdnchen");
  });
});
