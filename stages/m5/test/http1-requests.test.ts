import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RefusalCode } from "../src/http1/refusal.ts";
import { byteByByte, readRequests, splitAt } from "./http1-messages.ts";

const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");
const get = (lines = "", line = "GET / HTTP/1.1"): string => `${line}\r\nHost: a\r\n${lines}\r\n`;
const post = (lines: string, body = ""): string => `POST / HTTP/1.1\r\nHost: a\r\n${lines}\r\n${body}`;

/** The same outcome whole and one byte at a time. */
function outcome(text: string) {
  const whole = readRequests(latin1(text));
  const split = readRequests(...byteByByte(latin1(text)));
  expect(split.messages).toEqual(whole.messages);
  expect(split.refusal?.code).toEqual(whole.refusal?.code);
  return whole;
}

describe("requests that are understood", () => {
  const cases: readonly [title: string, text: string, firstLine: string, body?: string][] = [
    ["a plain request", get(), "GET / 1"],
    ["any token as method", get("", "PURGE /x HTTP/1.1"), "PURGE /x 1"],
    ["an absolute-form target", get("", "GET http://b:80/x?y HTTP/1.1"), "GET http://b:80/x?y 1"],
    ["the asterisk form for OPTIONS", get("", "OPTIONS * HTTP/1.1"), "OPTIONS * 1"],
    ["the authority form for CONNECT", get("", "CONNECT b:443 HTTP/1.1"), "CONNECT b:443 1"],
    ["HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", "GET / 0"],
    ["one empty line before the request", `\r\n${get()}`, "GET / 1"],
    ["a length", post("Content-Length: 3\r\n", "abc"), "POST / 1", "abc"],
    ["a length of zero", post("Content-Length: 0\r\n"), "POST / 1"],
    [
      "chunks",
      post("Transfer-Encoding: chunked\r\n", '3\r\nabc\r\n2;x="y"\r\nde\r\n0\r\n\r\n'),
      "POST / 1",
      "abcde",
    ],
    ["the coding's name in any case", post("Transfer-Encoding: Chunked\r\n", "0\r\n\r\n"), "POST / 1"],
    [
      "hexadecimal sizes in any case",
      post("Transfer-Encoding: chunked\r\n", "a\r\n0123456789\r\nB\r\n01234567890\r\n0\r\n\r\n"),
      "POST / 1",
      "012345678901234567890",
    ],
    ["trailers", post("Transfer-Encoding: chunked\r\n", "0\r\nX-Sum: 1\r\n\r\n"), "POST / 1"],
  ];
  test.each(cases)("%s", (_, text, firstLine, body = "") => {
    const { messages, refusal } = outcome(text);
    expect(refusal).toBeUndefined();
    expect(messages).toMatchObject([{ firstLine, body, complete: true }]);
  });

  test("white space around a value is no part of it, inside it is", () => {
    expect(outcome(get("A: \t b \t c\t \r\n")).messages[0]?.fields).toEqual(["Host", "a", "A", "b \t c"]);
  });

  test("bytes above ASCII pass in values", () => {
    expect(outcome(get("A: \xff\x80\r\n")).messages[0]?.fields.at(-1)).toBe("\xff\x80");
  });

  test("requests follow each other on one connection", () => {
    const stream =
      get() +
      post("Content-Length: 3\r\n", "abc") +
      post("Transfer-Encoding: chunked\r\n", "0\r\n\r\n") +
      get();
    expect(outcome(stream).messages.map((each) => each.firstLine)).toEqual([
      "GET / 1",
      "POST / 1",
      "POST / 1",
      "GET / 1",
    ]);
  });

  test("what follows a request with Connection: close is not read", () => {
    const { messages, closed } = outcome(get("Connection: x, Close\r\n") + get());
    expect([messages.length, closed]).toEqual([1, true]);
  });
});

describe("requests that are refused", () => {
  const chunked = (body: string): string => post("Transfer-Encoding: chunked\r\n", body);
  const cases: readonly [title: string, text: string, code?: RefusalCode][] = [
    // Framing.
    ["length and coding", post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")],
    ["coding and length", post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n")],
    ["two different lengths", post("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd")],
    ["two equal lengths", post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc")],
    ["a list of lengths", post("Content-Length: 3, 3\r\n", "abc")],
    ["a signed length", post("Content-Length: +3\r\n", "abc")],
    ["a negative length", post("Content-Length: -3\r\n", "abc")],
    ["an empty length", post("Content-Length:\r\n")],
    ["a hexadecimal length", post("Content-Length: 0x3\r\n", "abc")],
    ["a length with a no-break space", post("Content-Length: \xa03\r\n", "abc")],
    ["a length beyond 2^53", post("Content-Length: 9007199254740993\r\n")],
    ["a coding other than chunked", post("Transfer-Encoding: gzip\r\n")],
    ["chunked before another coding", post("Transfer-Encoding: chunked, gzip\r\n")],
    [
      "chunked before another coding, in two fields",
      post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
    ],
    [
      "chunked after another coding",
      post("Transfer-Encoding: gzip, chunked\r\n"),
      "transfer-coding-not-supported",
    ],
    [
      "chunked twice in a list",
      post("Transfer-Encoding: chunked, chunked\r\n"),
      "transfer-coding-not-supported",
    ],
    [
      "chunked in two fields",
      post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
      "transfer-coding-not-supported",
    ],
    [
      "a tab behind the coding",
      post("Transfer-Encoding: chunked\t\r\n", "0\r\n\r\n"),
      "transfer-coding-not-supported",
    ],
    ["a coding that only begins with chunked", post("Transfer-Encoding: chunkedx\r\n")],
    ["a coding in quotes", post('Transfer-Encoding: "chunked"\r\n')],
    ["a coding after a vertical tab", post("Transfer-Encoding: \vchunked\r\n")],
    ["an empty coding", post("Transfer-Encoding:\r\n")],
    ["a coding in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["a size that is no number", chunked("x\r\n")],
    ["an empty size", chunked("\r\n")],
    ["a signed size", chunked("+3\r\nabc\r\n0\r\n\r\n")],
    ["a size with 0x", chunked("0x3\r\nabc\r\n0\r\n\r\n")],
    ["a space before a size", chunked(" 3\r\nabc\r\n0\r\n\r\n")],
    ["a space after a size", chunked("3 \r\nabc\r\n0\r\n\r\n")],
    ["a size beyond 2^53", chunked("20000000000000\r\n")],
    ["a size line ended by a bare LF", chunked("3\nabc\r\n0\r\n\r\n")],
    ["a size line ended by a bare CR", chunked("3\rabc\r\n0\r\n\r\n")],
    ["an extension ended by a bare LF", chunked("3;a\nabc\r\n0\r\n\r\n")],
    ["an empty extension", chunked("3;\r\nabc\r\n0\r\n\r\n")],
    ["an extension in an open quote", chunked('3;a="b\r\nabc\r\n0\r\n\r\n')],
    ["a line end in a quoted extension", chunked('3;a="\r\n"\r\nabc\r\n0\r\n\r\n')],
    ["white space in an extension", chunked("3 ;a\r\nabc\r\n0\r\n\r\n")],
    ["an extension's value without a name", chunked("3;=b\r\nabc\r\n0\r\n\r\n")],
    ["more data than the size", chunked("3\r\nabcd\r\n0\r\n\r\n")],
    ["data ended by a bare LF", chunked("3\r\nabc\n0\r\n\r\n")],
    ["a last line ended by a bare CR", chunked("0\r\n\rX")],
    ["a trailer without a colon", chunked("0\r\nA\r\n\r\n")],
    ["a trailer ended by a bare LF", chunked("0\r\nA: b\n\r\n\r\n")],
    ["endless extensions", chunked(`1;${"x".repeat(17_000)}\r\na\r\n0\r\n\r\n`), "content-too-large"],
    // Lines and bytes.
    ["a folded line", get("A: b\r\n c\r\n")],
    ["a folded line with a tab", get("A: b\r\n\tc\r\n")],
    ["white space before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"],
    ["lines ended by a bare LF", "GET / HTTP/1.1\nHost: a\n\n"],
    ["one line ended by a bare LF", get("A: b\nC: d\r\n")],
    ["a bare CR in a value", get("A: b\rC: d\r\n")],
    ["a bare CR before the line end", get("A: b\r\r\n")],
    ["NUL in a value", get("A: b\0c\r\n")],
    ["NUL in a name", get("A\0: b\r\n")],
    ["a control byte in a value", get("A: b\x01\r\n")],
    ["DEL in a value", get("A: b\x7f\r\n")],
    ["a space before the colon", get("A : b\r\n")],
    ["a tab before the colon", get("A\t: b\r\n")],
    ["an empty field name", get(": b\r\n")],
    ["a line without a colon", get("A\r\n")],
    ["a field name that is no token", get("A(b: c\r\n")],
    ["a field name above ASCII", get("\xe4: c\r\n")],
    ["a Connection member that is no token", get("Connection: close, \xa0a\r\n")],
    // The request line.
    ["no method", get("", " / HTTP/1.1")],
    ["a method that is no token", get("", "GE(T / HTTP/1.1")],
    ["two spaces after the method", get("", "GET  / HTTP/1.1")],
    ["a tab after the method", get("", "GET\t/ HTTP/1.1")],
    ["two spaces before the version", get("", "GET /  HTTP/1.1")],
    ["a space in the target", get("", "GET /a b HTTP/1.1")],
    ["a control byte in the target", get("", "GET /a\x01 HTTP/1.1")],
    ["a byte above ASCII in the target", get("", "GET /\xe4 HTTP/1.1")],
    ["a fragment", get("", "GET /a#b HTTP/1.1")],
    ["no version", get("", "GET /")],
    ["HTTP/2.0", get("", "GET / HTTP/2.0"), "version-not-supported"],
    ["HTTP/1.2", get("", "GET / HTTP/1.2"), "version-not-supported"],
    ["HTTP/1.10", get("", "GET / HTTP/1.10")],
    ["the version in lower case", get("", "GET / http/1.1")],
    ["a space after the version", get("", "GET / HTTP/1.1 ")],
    ["two empty lines before the request", `\r\n\r\n${get()}`],
    ["another protocol", "\x16\x03\x01\x02\x00\x01"],
    ["a target without a form", get("", "GET a HTTP/1.1"), "unsupported-target"],
    ["an absolute target of another scheme", get("", "GET ftp://a/ HTTP/1.1"), "unsupported-target"],
    ["an absolute target with user information", get("", "GET http://u@a/ HTTP/1.1"), "unsupported-target"],
    ["an absolute target without a host", get("", "GET http:/// HTTP/1.1"), "unsupported-target"],
    ["the asterisk form for GET", get("", "GET * HTTP/1.1"), "unsupported-target"],
    ["CONNECT to a path", get("", "CONNECT /a HTTP/1.1"), "unsupported-target"],
    // Host.
    ["no Host", "GET / HTTP/1.1\r\n\r\n", "ambiguous-host"],
    ["two Hosts", get("Host: b\r\n"), "ambiguous-host"],
    ["two equal Hosts", get("Host: a\r\n"), "ambiguous-host"],
    ["a list of hosts", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "ambiguous-host"],
    ["a Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "ambiguous-host"],
    // Size.
    ["a head that is too large", get(`A: ${"x".repeat(17_000)}\r\n`), "header-fields-too-large"],
    ["a head without an end", `GET /${"x".repeat(17_000)}`, "header-fields-too-large"],
    ["too many fields", get("A:\r\n".repeat(257)), "header-fields-too-large"],
    [
      "a trailer section that is too large",
      chunked(`0\r\nA: ${"x".repeat(17_000)}\r\n\r\n`),
      "header-fields-too-large",
    ],
  ];
  test.each(cases)("%s", (_, text, code = "malformed-request") => {
    const { messages, refusal } = outcome(text);
    expect(refusal?.code).toBe(code);
    expect(messages.filter((each) => each.complete)).toEqual([]);
  });
});

test("a head may have exactly the largest size", () => {
  const room = 16_384 - get("A: \r\n").length;
  expect(outcome(get(`A: ${"x".repeat(room)}\r\n`)).messages).toHaveLength(1);
  expect(outcome(get(`A: ${"x".repeat(room + 1)}\r\n`)).refusal?.code).toBe("header-fields-too-large");
});

test("any split of a stream gives the same messages", () => {
  const request = fc.oneof(
    fc.constantFrom(get(), get("A: b\r\nConnection: x\r\n"), post("Content-Length: 0\r\n"), `\r\n${get()}`),
    fc.string({ maxLength: 40 }).map((body) => post(`Content-Length: ${latin1(body).length}\r\n`, body)),
    fc.array(fc.string({ minLength: 1, maxLength: 20 })).map((chunks) => {
      const lines = chunks.map((chunk) => `${latin1(chunk).length.toString(16)};e\r\n${chunk}\r\n`).join("");
      return post("Transfer-Encoding: chunked\r\n", `${lines}0\r\nT: ${chunks.length}\r\n\r\n`);
    }),
    fc.constantFrom("GET /\n", "0\r\n\r\n", post("Content-Length: x\r\n"), "\r\n\r\n", get("A: b\r\n c\r\n")),
  );
  const property = fc.property(
    fc.array(request, { maxLength: 5 }),
    fc.array(fc.nat(), { maxLength: 8 }),
    (parts, cuts) => {
      const stream = latin1(parts.join(""));
      const whole = readRequests(stream);
      const split = readRequests(...splitAt(stream, cuts));
      expect(split.messages).toEqual(whole.messages);
      expect(split.closed).toBe(whole.closed);
      expect(split.refusal?.code).toBe(whole.refusal?.code);
    },
  );
  fc.assert(property, { numRuns: 2_000 });
});
