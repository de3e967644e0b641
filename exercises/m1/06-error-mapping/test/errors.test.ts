import { errors } from "undici";
import { test } from "vitest";
import { check, within } from "../../../support/check.ts";
import { problemBody, problemOf, upstreamErrorCode } from "../starter/errors.ts";
import { errorOf, errorOfNobody } from "./failing-cells.ts";

const lookAt = "errors.ts, upstreamErrorCode";

/** What becomes of an error: the status that the client gets, and the code that says why. */
const answerTo = (error: Error): string => {
  const code = upstreamErrorCode(error);
  return `${problemOf(code).status} ${code}`;
};

/** An error as the system or undici makes it. */
const systemError = (code: string, message: string): Error => Object.assign(new Error(message), { code });

test("a cell that nobody listens for is a bad gateway: 502, upstream-unreachable", async () => {
  await check({
    sent: "a request to a port on which nobody listens",
    expected: "502 upstream-unreachable",
    got: async () => answerTo(await within(2_000, "the request to fail", errorOfNobody())),
    likely: "The status speaks of the router. It is the cell that is not there.",
    lookAt: "errors.ts, the table of problems",
  });
});

test("a cell that breaks the connection is a bad gateway: 502, upstream-broken", async () => {
  await check({
    sent: "a request to a cell that closes the connection instead of answering",
    expected: "502 upstream-broken",
    got: async () => {
      const failing = errorOf((socket) => socket.once("data", () => socket.end()));
      return answerTo(await within(2_000, "the request to fail", failing));
    },
    likely: "The cell was reached, and then it broke the exchange.",
    lookAt,
  });
});

test("a cell that does not answer in time is a gateway timeout: 504, head-timeout", async () => {
  await check({
    sent: "a request to a cell that reads it and stays silent",
    expected: "504 head-timeout",
    got: async () =>
      answerTo(
        await within(
          2_000,
          "the request to fail",
          errorOf((socket) => socket.resume()),
        ),
      ),
    likely: "Nothing came back in time. There is a status for just that.",
    lookAt: "errors.ts, the table of problems",
  });
});

test("the code says which of the three limits was reached", async () => {
  const reached = [
    new errors.ConnectTimeoutError(),
    systemError("ETIMEDOUT", "connect ETIMEDOUT 10.1.2.3:9001"),
    new errors.HeadersTimeoutError(),
    new errors.BodyTimeoutError(),
    // The same limits, from a version that words them differently.
    new errors.ConnectTimeoutError("No connection within 5000 ms"),
    new errors.BodyTimeoutError("Stalled"),
  ];
  await check({
    sent: reached.map((error) => `${error.name}: ${error.message}`).join("\n"),
    expected: [
      "504 connect-timeout",
      "504 connect-timeout",
      "504 head-timeout",
      "504 body-timeout",
      "504 connect-timeout",
      "504 body-timeout",
    ],
    got: () => reached.map(answerTo),
    likely: "Three limits, one code. Whoever reads it has to guess what to change.",
    lookAt,
    hint: 1,
  });
});

test("every way of not reaching a cell is named as that", async () => {
  const codes = ["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ENOTFOUND", "EAI_AGAIN"];
  await check({
    sent: `errors with the codes ${codes.join(", ")}, and messages in other words`,
    expected: codes.map(() => "502 upstream-unreachable"),
    got: () => codes.map((code) => answerTo(systemError(code, "no connection"))),
    likely: "A host that cannot be reached, or a name that cannot be resolved, is taken for something else.",
    lookAt,
    hint: 1,
  });
});

test("the words of an error's message decide nothing", async () => {
  const misleading = [
    systemError("UND_ERR_SOCKET", "other side closed: refused by policy after connect timeout"),
    systemError("ENOTFOUND", "getaddrinfo ENOTFOUND timed-out.example"),
    systemError("UND_ERR_CONNECT_TIMEOUT", "refused"),
  ];
  await check({
    sent: misleading.map((error) => error.message).join("\n"),
    expected: ["502 upstream-broken", "502 upstream-unreachable", "504 connect-timeout"],
    got: () => misleading.map(answerTo),
    likely: "A host's name or somebody's choice of words decided about the status.",
    lookAt,
    hint: 1,
  });
});

test("an error that nobody foresaw is blamed on the cell, not on the router", async () => {
  const unforeseen = [
    systemError("HPE_INVALID_CONSTANT", "Parse Error: Expected HTTP/"),
    systemError("UND_ERR_RES_CONTENT_LENGTH_MISMATCH", "Response body length does not match"),
    new Error("?"),
  ];
  await check({
    sent: unforeseen.map((error) => error.message).join("\n"),
    expected: unforeseen.map(() => "502 upstream-broken"),
    got: () => unforeseen.map(answerTo),
    likely: "Everything that goes through this function happened between the router and a cell.",
    lookAt,
    hint: 2,
  });
});

test("an error may have any code, also one that is called constructor", async () => {
  await check({
    sent: 'errors with the codes "constructor" and "__proto__"',
    expected: ["502 upstream-broken", "502 upstream-broken"],
    got: () => ["constructor", "__proto__"].map((code) => answerTo(systemError(code, "?"))),
    likely: "The look-up found something that nobody had put in.",
    lookAt,
    hint: 2,
  });
});

test("the answer's body has every member of a problem, and nothing else", async () => {
  await check({
    sent: 'problemBody("head-timeout", "id-1"), read as JSON',
    expected: {
      type: "urn:cell-routing:problem:head-timeout",
      title: "Gateway Timeout",
      status: 504,
      detail: "The cell did not answer in time.",
      code: "head-timeout",
      requestId: "id-1",
    },
    got: () => JSON.parse(problemBody("head-timeout", "id-1")) as unknown,
    likely: "A program cannot branch on a sentence, and RFC 9457 names the members that tools look for.",
    lookAt: "errors.ts, problemBody",
    hint: 3,
  });
});

test("the router's own states keep their own statuses", async () => {
  await check({
    sent: 'problemOf of "no-routing-table", "router-fault", "request-timeout" and "malformed-request"',
    expected: [503, 500, 408, 400],
    got: () =>
      (["no-routing-table", "router-fault", "request-timeout", "malformed-request"] as const).map(
        (code) => problemOf(code).status,
      ),
    likely:
      "A status that speaks of the router or of the client was changed together with those of the cells.",
    lookAt: "errors.ts, the table of problems",
  });
});
