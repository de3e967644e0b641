import { errors } from "undici";
import { test } from "vitest";
import { check, type Outcome, within } from "../../../support/check.ts";
import { causeOf, problemBody, problemOf, upstreamErrorCode } from "../starter/errors.ts";
import { errorOf, errorOfNobody } from "./failing-cells.ts";

/** What a wrong response, such as `500 router-fault`, says about its error. */
function takenFor(got: string, wanted: string): string | undefined {
  const code = got.split(" ")[1] ?? "";
  if (wanted.endsWith(` ${code}`)) return "got the right code, and the table gives this code another status";
  if (code === "router-fault") return "was blamed on the router itself";
  if (code === "upstream-unreachable") return "was taken for a cell that could not be reached";
  if (code === "upstream-broken") return "was taken for an exchange that broke off";
  return code.endsWith("-timeout") ? `was taken for a ${code}` : undefined;
}

/** What one wrong response shows. */
const responseShows = (wanted: string) => (came: Outcome<string>) => {
  const words = came.kind === "returned" && came.value !== wanted ? takenFor(came.value, wanted) : undefined;
  return words === undefined ? undefined : `This error ${words}.`;
};

/** The members that are missing, too many, or different. */
const membersShow =
  (wanted: Readonly<Record<string, unknown>>) => (came: Outcome<Record<string, unknown>>) => {
    if (came.kind !== "returned") return undefined;
    const got = came.value;
    const missing = Object.keys(wanted).filter((name) => !(name in got));
    if (missing.length > 0) return `The body lacks ${missing.join(", ")}.`;
    const extra = Object.keys(got).filter((name) => !(name in wanted));
    if (extra.length > 0) return `The body has more than a problem's members: ${extra.join(", ")}.`;
    const different = Object.keys(wanted).filter((name) => got[name] !== wanted[name]);
    return different.length > 0
      ? `Every member is there, but these have another value: ${different.join(", ")}.`
      : undefined;
  };

const lookAt = "errors.ts, upstreamErrorCode";

/** What becomes of an error: the status that the client gets, and the code that says why. */
const responseTo = (error: Error): string => {
  const code = upstreamErrorCode(error);
  return `${problemOf(code).status} ${code}`;
};

/** An error as the system makes it. */
const systemError = (code: unknown, message: string, syscall = "connect"): Error =>
  Object.assign(new Error(message), { code, syscall });

const shown = (error: Error): string => {
  const code = "code" in error ? `the code ${JSON.stringify(error.code)}` : "no code";
  return `${error.name} with ${code}: "${error.message}"`;
};

/** Each error by itself, so that a failure shows the first one that goes wrong and no other. */
async function become(
  cases: readonly (readonly [error: Error, wanted: string])[],
  hint: number,
): Promise<void> {
  for (const [error, wanted] of cases) {
    await check({
      sent: shown(error),
      expected: wanted,
      got: () => responseTo(error),
      likely: responseShows(wanted),
      lookAt,
      hint,
    });
  }
}

test("a cell that nobody listens for is a bad gateway: 502, upstream-unreachable", async () => {
  await check({
    sent: "a request to a port on which nobody listens",
    expected: "502 upstream-unreachable",
    got: async () => responseTo(await within(2_000, "the request to fail", errorOfNobody())),
    likely: responseShows("502 upstream-unreachable"),
    lookAt,
  });
});

test("a cell that breaks the connection is a bad gateway: 502, upstream-broken", async () => {
  await check({
    sent: "a request to a cell that closes the connection instead of answering",
    expected: "502 upstream-broken",
    got: async () => {
      const failing = errorOf((socket) => socket.once("data", () => socket.end()));
      return responseTo(await within(2_000, "the request to fail", failing));
    },
    likely: responseShows("502 upstream-broken"),
    lookAt,
  });
});

test("a cell that does not answer in time is a gateway timeout: 504, head-timeout", async () => {
  await check({
    sent: "a request to a cell that reads it and stays silent",
    expected: "504 head-timeout",
    got: async () => {
      const failing = errorOf((socket) => socket.resume());
      return responseTo(await within(2_000, "the request to fail", failing));
    },
    likely: responseShows("504 head-timeout"),
    lookAt: "errors.ts, upstreamErrorCode and the table of problems",
  });
});

test("the code says which of the three limits was reached", async () => {
  await become(
    [
      [new errors.ConnectTimeoutError(), "504 connect-timeout"],
      [systemError("ETIMEDOUT", "connect ETIMEDOUT 10.1.2.3:9001"), "504 connect-timeout"],
      [new errors.HeadersTimeoutError(), "504 head-timeout"],
      [new errors.BodyTimeoutError(), "504 body-timeout"],
      // The same limits, from a version that words them differently.
      [new errors.ConnectTimeoutError("No connection within 5000 ms"), "504 connect-timeout"],
      [new errors.HeadersTimeoutError("Slow"), "504 head-timeout"],
      [new errors.BodyTimeoutError("Stalled"), "504 body-timeout"],
    ],
    1,
  );
});

test("every way of not reaching a cell is named as that", async () => {
  const ways = [
    ...["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH"].map((code) => systemError(code, "no connection")),
    ...["ENOTFOUND", "EAI_AGAIN"].map((code) => systemError(code, "no address", "getaddrinfo")),
    // What Node throws when a name has two addresses, and none of them accepts.
    Object.assign(new AggregateError([], "two addresses tried"), { code: "ECONNREFUSED" }),
  ];
  await become(
    ways.map((error) => [error, "502 upstream-unreachable"]),
    1,
  );
});

test("the words of an error's message decide nothing", async () => {
  await become(
    [
      [
        new errors.SocketError("other side closed: refused by policy after connect timeout"),
        "502 upstream-broken",
      ],
      [
        systemError("ENOTFOUND", "getaddrinfo ENOTFOUND timed-out.example", "getaddrinfo"),
        "502 upstream-unreachable",
      ],
      [new errors.ConnectTimeoutError("refused"), "504 connect-timeout"],
      [new errors.BodyTimeoutError("Headers Timeout Error"), "504 body-timeout"],
      [
        systemError("ECONNRESET", "ECONNREFUSED ETIMEDOUT UND_ERR_HEADERS_TIMEOUT", "read"),
        "502 upstream-broken",
      ],
      [systemError("ECONNREFUSED", ""), "502 upstream-unreachable"],
    ],
    1,
  );
});

test("an error that nobody foresaw is blamed on the cell, not on the router", async () => {
  const unforeseen = [
    systemError("HPE_INVALID_CONSTANT", "Parse Error: Expected HTTP/", "read"),
    systemError("UND_ERR_RES_CONTENT_LENGTH_MISMATCH", "Response body length does not match"),
    systemError("EPIPE", "write EPIPE", "write"),
    systemError(undefined, "no code"),
    systemError(111, "a number for a code"),
    systemError("", "an empty code"),
    new Error("?"),
    new TypeError("terminated"),
  ];
  await become(
    unforeseen.map((error) => [error, "502 upstream-broken"]),
    2,
  );
});

test("an error may have any code, also one that is called constructor", async () => {
  const strange = ["constructor", "__proto__", "toString", "econnrefused", "ECONNREFUSED "];
  await become(
    strange.map((code) => [systemError(code, "?"), "502 upstream-broken"]),
    2,
  );
});

const goodType = "about:blank, or a URI that ends with the code";

/** The members of the body; a type that the task allows is replaced by the words that say so. */
function membersOf(code: "head-timeout" | "missing-routing-key"): Record<string, unknown> {
  const body = JSON.parse(problemBody(code, "id-1")) as Record<string, unknown>;
  const type = body["type"];
  const isOurs = typeof type === "string" && URL.canParse(type) && type.endsWith(code);
  return type === "about:blank" || isOurs ? { ...body, type: goodType } : body;
}

test("the body of a response has every member of a problem, and nothing else", async () => {
  for (const [code, title, status, detail] of [
    ["head-timeout", "Gateway Timeout", 504, "The cell did not respond in time."],
    ["missing-routing-key", "Bad Request", 400, "Send an X-Routing-Key field that names the tenant."],
  ] as const) {
    await check<Record<string, unknown>>({
      sent: `problemBody("${code}", "id-1"), read as JSON`,
      expected: { type: goodType, title, status, detail, code, requestId: "id-1" },
      got: () => membersOf(code),
      likely: membersShow({ type: goodType, title, status, detail, code, requestId: "id-1" }),
      lookAt: "errors.ts, problemBody",
      hint: 3,
    });
  }
});

test("the router's own states keep their own statuses", async () => {
  const statuses = {
    "no-routing-table": 503,
    "router-fault": 500,
    "request-timeout": 408,
    "malformed-request": 400,
    "upstream-unreachable": 502,
    "upstream-broken": 502,
    "connect-timeout": 504,
    "head-timeout": 504,
    "body-timeout": 504,
  } as const;
  const codes = Object.keys(statuses) as (keyof typeof statuses)[];
  await check({
    sent: `problemOf(…).status of ${codes.join(", ")}`,
    expected: statuses,
    got: () => Object.fromEntries(codes.map((code) => [code, problemOf(code).status])),
    likely: (came) => {
      if (came.kind !== "returned") return undefined;
      const changed = codes.filter((code) => came.value[code] !== statuses[code]);
      return changed.length > 0
        ? `The starter had another status for ${changed.join(", ")}, which was right.`
        : undefined;
    },
    lookAt: "errors.ts, the table of problems",
  });
});

test("the log still gets the error's code as its cause", async () => {
  const given = [
    systemError("ECONNRESET", "read ECONNRESET"),
    new Error("no code"),
    systemError(111, "a number"),
  ];
  await check({
    sent: `causeOf of:\n${given.map(shown).join("\n")}`,
    expected: ["ECONNRESET", "", ""],
    got: () => given.map(causeOf),
    likely: (came) => {
      if (came.kind !== "returned") return undefined;
      const [ofCode, ...ofNone] = came.value;
      if (ofCode === "") return "The error has a code, but the log would get none.";
      return ofNone.some((cause) => cause !== "")
        ? "An error whose code is not a string still gets a cause for the log."
        : undefined;
    },
    lookAt: "errors.ts, causeOf",
  });
});
