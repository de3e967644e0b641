import { test } from "vitest";
import type { Refusal } from "../../../../stages/m5/src/http1/refusal.ts";
import { check } from "../../../support/check.ts";
import {
  type FramingFields,
  type MinorVersion,
  type RequestBody,
  type ResponseBody,
  requestBody,
  responseBody,
} from "../starter/framing.ts";

const lookAt = "framing.ts, declaredBody";
const lookAtLength = "framing.ts, lengthBody";
const lookAtAnswer = "framing.ts, responseBody";

/** `Content-Length: 5` and the like, as on the wire. */
function fieldsOf(lines: readonly string[]): FramingFields {
  const valuesOf = (name: string) =>
    lines.filter((line) => line.startsWith(`${name}: `)).map((line) => line.slice(name.length + 2));
  return { contentLength: valuesOf("Content-Length"), transferEncoding: valuesOf("Transfer-Encoding") };
}

function said(body: ResponseBody | RequestBody | Refusal): string {
  if ("rule" in body) return `refused: ${body.code}`;
  return body.kind === "length" ? `length ${body.length}` : body.kind;
}

const request = (lines: readonly string[], minorVersion: MinorVersion = 1) =>
  said(requestBody(fieldsOf(lines), minorVersion));
const answer = (lines: readonly string[], method: string, status: number) =>
  said(responseBody(fieldsOf(lines), 1, method, status));

const malformed = "refused: malformed-request";
const unsupported = "refused: transfer-coding-not-supported";

/** One message for each value, and what was decided about each. */
const each = (name: string, values: readonly string[], word: string) =>
  Object.fromEntries(values.map((value) => [`${name}: ${value}`, word]));
const decided = (name: string, values: readonly string[]) =>
  Object.fromEntries(values.map((value) => [`${name}: ${value}`, request([`${name}: ${value}`])]));

test("a plain Content-Length frames a request's body", async () => {
  await check({
    sent: "three requests: Content-Length: 5, Content-Length: 0, Content-Length: 999999999999999",
    expected: ["length 5", "length 0", "length 999999999999999"],
    got: () => ["5", "0", "999999999999999"].map((value) => request([`Content-Length: ${value}`])),
    likely: "A sound length is refused: one to fifteen decimal digits are one.",
    lookAt: lookAtLength,
  });
});

test("chunked frames a request's body, in any case", async () => {
  await check({
    sent: "two requests: Transfer-Encoding: chunked, Transfer-Encoding: Chunked",
    expected: ["chunked", "chunked"],
    got: () => [request(["Transfer-Encoding: chunked"]), request(["Transfer-Encoding: Chunked"])],
    likely: "The names of transfer codings have no case.",
    lookAt,
  });
});

test("a request without either field has no body; an answer's lasts until the connection ends", async () => {
  await check({
    sent: "a request and an answer to GET, neither with Content-Length or Transfer-Encoding",
    expected: { request: "none", answer: "until-close" },
    got: () => ({ request: request([]), answer: answer([], "GET", 200) }),
    likely:
      "Only an answer can be ended by the end of its connection: a client that closes could not be answered.",
    lookAt: lookAtAnswer,
  });
});

test("a message with both a length and a coding is refused", async () => {
  await check({
    sent: "POST with Content-Length: 5 and Transfer-Encoding: chunked",
    expected: malformed,
    got: () => request(["Content-Length: 5", "Transfer-Encoding: chunked"]),
    likely: "One of the two fields wins. The next reader on the way may let the other one win.",
    lookAt,
    hint: 1,
  });
});

test("two lengths are refused, the same number twice as well", async () => {
  await check({
    sent: "POST with Content-Length: 5 and Content-Length: 6; POST with Content-Length: 5 twice",
    expected: [malformed, malformed],
    got: () => [
      request(["Content-Length: 5", "Content-Length: 6"]),
      request(["Content-Length: 5", "Content-Length: 5"]),
    ],
    likely:
      "One of two fields is looked at, or equal ones are made one: a repair that another reader may do otherwise.",
    lookAt: lookAtLength,
    hint: 1,
  });
});

const notDecimal = ["+5", "-1", "0x10", "1e3", "5.0", "", "5, 5"];
test("a length that is not plain decimal digits is refused", async () => {
  await check({
    sent: "seven requests, each with one Content-Length: +5, -1, 0x10, 1e3, 5.0, nothing, 5, 5",
    expected: each("Content-Length", notDecimal, malformed),
    got: () => decided("Content-Length", notDecimal),
    likely:
      "The language's own idea of a number decides what a length is. It knows signs, hexadecimals and powers.",
    lookAt: lookAtLength,
    hint: 2,
  });
});

test("a length that a number cannot hold exactly is refused", async () => {
  await check({
    sent: "POST with Content-Length: 9007199254740993 (2^53 + 1)",
    expected: malformed,
    got: () => request(["Content-Length: 9007199254740993"]),
    likely: "The digits were read, but the number that they became is not the one that was sent.",
    lookAt: lookAtLength,
    hint: 2,
  });
});

const otherCodings = ["gzip, chunked", "chunked, gzip", "chunked, chunked", "xchunked", "identity"];
test("any coding other than chunked alone is refused as not supported", async () => {
  await check({
    sent: "five requests, each with one Transfer-Encoding: gzip, chunked / chunked, gzip / chunked, chunked / xchunked / identity",
    expected: each("Transfer-Encoding", otherCodings, unsupported),
    got: () => decided("Transfer-Encoding", otherCodings),
    likely: "The value is searched for the word chunked. It must be that word.",
    lookAt,
    hint: 2,
  });
});

test("a second Transfer-Encoding field is refused as not supported", async () => {
  await check({
    sent: "POST with Transfer-Encoding: chunked and Transfer-Encoding: identity",
    expected: unsupported,
    got: () => request(["Transfer-Encoding: chunked", "Transfer-Encoding: identity"]),
    likely: "Only the first field is looked at. Several fields are one list.",
    lookAt,
    hint: 2,
  });
});

test("a transfer coding in HTTP/1.0 is refused", async () => {
  await check({
    sent: "POST / HTTP/1.0 with Transfer-Encoding: chunked",
    expected: malformed,
    got: () => request(["Transfer-Encoding: chunked"], 0),
    likely:
      "HTTP/1.0 knows no transfer coding, so its bytes came through something that did not understand the field.",
    lookAt,
    hint: 1,
  });
});

test("an answer to HEAD, a 1xx, a 204 and a 304 have no body, whatever their fields say", async () => {
  await check({
    sent: "four answers with Content-Length: 5: HEAD 200, GET 103, GET 204, GET 304",
    expected: ["none", "none", "none", "none"],
    got: () => [
      answer(["Content-Length: 5"], "HEAD", 200),
      answer(["Content-Length: 5"], "GET", 103),
      answer(["Content-Length: 5"], "GET", 204),
      answer(["Content-Length: 5"], "GET", 304),
    ],
    likely: "The router waits for five bytes that never come, or takes five bytes of the next answer.",
    lookAt: lookAtAnswer,
    hint: 3,
  });
});

test("an answer without a body is still refused for fields that contradict each other", async () => {
  await check({
    sent: "an answer to HEAD with Content-Length: 5 and Content-Length: 6",
    expected: malformed,
    got: () => answer(["Content-Length: 5", "Content-Length: 6"], "HEAD", 200),
    likely: "The fields are not looked at, because there is no body. They are sent on all the same.",
    lookAt: lookAtAnswer,
    hint: 3,
  });
});
