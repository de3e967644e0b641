import { describe, expect, test } from "vitest";
import { ByteReader } from "../byte-reader.ts";
import { NotHttp } from "../header-fields.ts";
import { frameRequests } from "../hostile-upstream.ts";
import { readResponse } from "../http-message.ts";

const bytes = (text: string) => Buffer.from(text, "latin1");
const response = (text: string, method = "GET") => readResponse(new ByteReader(bytes(text)), method);

describe("framing of responses", () => {
  test("tells a complete body from a cut one, in every framing", async () => {
    const endings = async (text: string) => (await response(text)).ending;
    expect(await endings("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")).toBe("complete");
    expect(await endings("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok")).toBe("truncated");
    expect(await endings("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")).toBe(
      "complete",
    );
    expect(await endings("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n")).toBe(
      "truncated",
    );
    expect(await endings("HTTP/1.1 200 OK\r\n\r\nok")).toBe("until-close");
  });

  test("reads interim responses, trailers, repeated fields and Latin-1", async () => {
    const read = await response(
      "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 200 OK\r\nSet-Cookie: a\r\nset-cookie: \xe9\r\n" +
        "Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0\r\nX-T: 1\r\n\r\n".replace(";x=y", ""),
    );
    expect(read.interim.map((each) => each.status)).toEqual([103]);
    expect(read.headers.all("Set-Cookie")).toEqual(["a", "\xe9"]);
    expect(() => read.headers.one("set-cookie")).toThrow(/2 times/);
    expect(read.trailers.one("x-t")).toBe("1");
  });

  test("gives the response to HEAD, 204 and 304 no body whatever their fields say", async () => {
    expect((await response("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "HEAD")).bodyBytes).toBe(0);
    expect((await response("HTTP/1.1 304 X\r\nContent-Length: 9\r\n\r\n")).bodyBytes).toBe(0);
    await expect(response("HTTP/1.1 204 X\r\nContent-Length: 0\r\n\r\n")).rejects.toThrow(NotHttp);
  });

  test.each([
    ["both framings", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ["a length twice", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"],
    ["a signed length", "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok"],
    ["another coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"],
    ["a bare LF", "HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n"],
    ["a folded field", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"],
    ["a space before the colon", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n"],
    ["a NUL", "HTTP/1.1 200 OK\r\nA: \0\r\n\r\n"],
    ["a bad chunk size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nok\r\n"],
    ["a chunk extension", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a\r\nok\r\n0\r\n\r\n"],
    ["no CRLF after a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok0\r\n\r\n"],
    ["no status line", "hello\r\n\r\n"],
  ])("refuses %s", async (_, text) => {
    await expect(response(text)).rejects.toThrow(NotHttp);
  });
});

describe("frameRequests", () => {
  test("shows every request in the bytes, the last of which may be cut", async () => {
    const seen = await frameRequests(
      bytes(
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" +
          "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n" +
          "POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
      ),
    );
    expect(seen.map(({ method, target, ending }) => [method, target, ending])).toEqual([
      ["POST", "/a", "complete"],
      ["GET", "/smuggled", "complete"],
      ["POST", "/b", "truncated"],
    ]);
    expect(seen[0]?.body.toString()).toBe("hello");
  });

  test("refuses bytes that allow two readings", async () => {
    const both =
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    await expect(frameRequests(bytes(both))).rejects.toThrow(/together/);
  });
});
