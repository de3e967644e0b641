import { expect, test } from "vitest";
import { ClientError, problemBody, problemOf, upstreamErrorCode } from "../src/errors.ts";

test("writes a problem body with every member and nothing else", () => {
  expect(JSON.parse(problemBody("missing-routing-key", "id-1"))).toEqual({
    type: "urn:cell-routing:problem:missing-routing-key",
    title: "Bad Request",
    status: 400,
    detail: "Send an X-Routing-Key field that names the tenant.",
    code: "missing-routing-key",
    requestId: "id-1",
  });
});

test.each([
  ["ECONNREFUSED", "upstream-unreachable", 502],
  ["UND_ERR_CONNECT_TIMEOUT", "connect-timeout", 504],
  ["UND_ERR_HEADERS_TIMEOUT", "head-timeout", 504],
  ["UND_ERR_SOCKET", "upstream-broken", 502],
  ["constructor", "upstream-broken", 502],
])("answers %s with %s (%i)", (cause, code, status) => {
  const error = Object.assign(new Error("connect 10.1.2.3:9001"), { code: cause });
  expect(upstreamErrorCode(error)).toBe(code);
  expect(problemOf(upstreamErrorCode(error)).status).toBe(status);
});

test("answers an error without a code as a broken upstream", () => {
  expect(upstreamErrorCode(new Error("?"))).toBe("upstream-broken");
});

test("keeps the code and the cause of a client's fault", () => {
  const cause = new Error("parse error");
  expect(new ClientError("malformed-request", { cause })).toMatchObject({ code: "malformed-request", cause });
});
