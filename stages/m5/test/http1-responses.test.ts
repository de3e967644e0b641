import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { byteByByte, readResponses, splitAt } from "./http1-messages.ts";

const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");
const ok = (lines: string, body = ""): string => `HTTP/1.1 200 OK\r\n${lines}\r\n${body}`;

function outcome(text: string, methods: readonly string[] = ["GET"], ended = false) {
  const whole = readResponses(methods, ended, latin1(text));
  const split = readResponses(methods, ended, ...byteByByte(latin1(text)));
  expect(split.messages).toEqual(whole.messages);
  expect(split.refusal?.code).toEqual(whole.refusal?.code);
  return whole;
}

describe("responses that are understood", () => {
  const cases: readonly [title: string, text: string, firstLine: string, body?: string, method?: string][] = [
    ["a length", ok("Content-Length: 3\r\n", "abc"), "200 OK 1", "abc"],
    ["chunks", ok("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"), "200 OK 1", "abc"],
    [
      "a reason phrase of several words",
      "HTTP/1.1 404 Not \xe4 Found\r\nContent-Length: 0\r\n\r\n",
      "404 Not \xe4 Found 1",
    ],
    ["an empty reason phrase", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", "200  1"],
    ["no reason phrase at all", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "200  1"],
    ["a response to HEAD, whatever its length says", ok("Content-Length: 3\r\n"), "200 OK 1", "", "HEAD"],
    [
      "a response to HEAD, whatever its coding says",
      ok("Transfer-Encoding: chunked\r\n"),
      "200 OK 1",
      "",
      "HEAD",
    ],
    ["204", "HTTP/1.1 204 No Content\r\n\r\n", "204 No Content 1"],
    ["304 with the length of what was not sent", "HTTP/1.1 304 X\r\nContent-Length: 9\r\n\r\n", "304 X 1"],
    ["HTTP/1.0 with a length", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", "200 OK 0", "a"],
  ];
  test.each(cases)("%s", (_, text, firstLine, body = "", method = "GET") => {
    const { messages, refusal } = outcome(text, [method]);
    expect(refusal).toBeUndefined();
    expect(messages).toMatchObject([{ firstLine, body, complete: true }]);
  });

  test("without length and coding the body ends with the connection, and not before", () => {
    const text = ok("", "abc\r\n\r\n");
    expect(outcome(text, ["GET"], false).messages).toMatchObject([{ body: "abc\r\n\r\n", complete: false }]);
    expect(outcome(text, ["GET"], true).messages).toMatchObject([{ body: "abc\r\n\r\n", complete: true }]);
  });

  test("a body that is cut short is not complete, even when the connection ends in order", () => {
    expect(outcome(ok("Content-Length: 4\r\n", "abc"), ["GET"], true).messages).toMatchObject([
      { complete: false },
    ]);
    const cut = ok("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n");
    expect(outcome(cut, ["GET"], true).messages).toMatchObject([{ complete: false }]);
  });

  test("interim responses precede the final one and have no body", () => {
    const text = `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${ok("Content-Length: 1\r\n", "a")}`;
    expect(outcome(text).messages.map((each) => each.firstLine.slice(0, 3))).toEqual(["100", "103", "200"]);
  });

  test("each response is read by the method of its request", () => {
    const text = ok("Content-Length: 3\r\n") + ok("Content-Length: 3\r\n", "abc");
    expect(outcome(text, ["HEAD", "GET"]).messages.map((each) => each.body)).toEqual(["", "abc"]);
  });
});

describe("responses that are refused", () => {
  const cases: readonly [title: string, text: string][] = [
    ["another protocol", "SSH-2.0-OpenSSH_9\r\n\r\n"],
    ["HTTP/2.0", "HTTP/2.0 200 OK\r\n\r\n"],
    ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n"],
    ["a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n"],
    ["a status below 100", "HTTP/1.1 099 OK\r\n\r\n"],
    ["a status that is no number", "HTTP/1.1 2x0 OK\r\n\r\n"],
    ["two spaces before the status", "HTTP/1.1  200 OK\r\n\r\n"],
    ["a control byte in the reason phrase", "HTTP/1.1 200 O\x01\r\n\r\n"],
    ["a status line ended by a bare LF", "HTTP/1.1 200 OK\nContent-Length: 0\n\n"],
    ["a folded line", ok("A: b\r\n c\r\n")],
    ["a space before the colon", ok("Content-Length : 0\r\n")],
    ["NUL in a value", ok("A: \0\r\n")],
    ["length and coding", ok("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")],
    ["two lengths", ok("Content-Length: 3\r\nContent-Length: 3\r\n", "abc")],
    ["a list of lengths", ok("Content-Length: 3, 3\r\n", "abc")],
    ["an unknown coding", ok("Transfer-Encoding: gzip\r\n")],
    ["a coding in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["a faulty length, even where no body follows", "HTTP/1.1 304 X\r\nContent-Length: -1\r\n\r\n"],
    ["a bad chunk size", ok("Transfer-Encoding: chunked\r\n", "g\r\n")],
    ["a head that is too large", ok(`A: ${"x".repeat(17_000)}\r\n`)],
  ];
  test.each(cases)("%s", (_, text) => {
    const { messages, refusal } = outcome(text);
    expect(refusal).toBeDefined();
    expect(messages.filter((each) => each.complete)).toEqual([]);
  });
});

test("any split of a stream of responses gives the same messages", () => {
  const response = fc.oneof(
    fc.constantFrom(
      "HTTP/1.1 204 No Content\r\n\r\n",
      "HTTP/1.1 100 Continue\r\n\r\n",
      ok("Content-Length: 0\r\n"),
    ),
    fc.string({ maxLength: 40 }).map((body) => ok(`Content-Length: ${latin1(body).length}\r\n`, body)),
    fc.string({ minLength: 1, maxLength: 40 }).map((body) => {
      const size = latin1(body).length.toString(16).padStart(4, "0");
      return ok("Transfer-Encoding: chunked\r\n", `${size}\r\n${body}\r\n0\r\nT: x\r\n\r\n`);
    }),
    fc.constantFrom(ok("", "until the end"), "HTTP/1.1 200 OK\n\n", ok("Content-Length: -1\r\n")),
  );
  const property = fc.property(
    fc.array(response, { maxLength: 5 }),
    fc.array(fc.nat(), { maxLength: 8 }),
    (parts, cuts) => {
      const stream = latin1(parts.join(""));
      const methods = parts.map(() => "GET");
      const whole = readResponses(methods, true, stream);
      const split = readResponses(methods, true, ...splitAt(stream, cuts));
      expect(split.messages).toEqual(whole.messages);
      expect(split.refusal?.code).toBe(whole.refusal?.code);
    },
  );
  fc.assert(property, { numRuns: 2_000 });
});
