import { test } from "vitest";
import type { Refusal } from "../../../../stages/m5/src/http1/refusal.ts";
import { check, shows } from "../../../support/check.ts";
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
const lookAtResponse = "framing.ts, responseBody";

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
const response = (lines: readonly string[], method = "GET", status = 200, minorVersion: MinorVersion = 1) =>
  said(responseBody(fieldsOf(lines), minorVersion, method, status));

/** What is decided about a request and about a response to GET with these fields: one word where both agree. */
function decided(lines: readonly string[], minorVersion: MinorVersion = 1): string {
  const asRequest = request(lines, minorVersion);
  const asResponse = response(lines, "GET", 200, minorVersion);
  return asRequest === asResponse ? asRequest : `request: ${asRequest}, response: ${asResponse}`;
}

const malformed = "refused: malformed-request";
const unsupported = "refused: transfer-coding-not-supported";

/** The fields of a message as one line of text; what cannot be seen is escaped. */
const shown = (lines: readonly string[]) =>
  lines.join(" and ").replace(/[^ -~]/g, (character) => {
    const hex = character.charCodeAt(0).toString(16).padStart(2, "0");
    return character === "\t" ? "\\t" : `\\x${hex}`;
  });
const each = (messages: readonly (readonly string[])[], word: (lines: readonly string[]) => string) =>
  Object.fromEntries(messages.map((lines) => [shown(lines), word(lines)]));
const lengths = (...values: readonly string[]) => values.map((value) => [`Content-Length: ${value}`]);
const codings = (...values: readonly string[]) => values.map((value) => [`Transfer-Encoding: ${value}`]);

const asBoth = "each as a request, and as a response to GET with status 200";

/** What it shows when one kind of message was refused and the other passed; undefined where both went the same way. */
function differently(got: string): string | undefined {
  const [asRequest = "", asResponse = ""] = got.split(", ");
  const refused = [asRequest.includes("refused"), asResponse.includes("refused")];
  if (!got.startsWith("request: ") || refused[0] === refused[1]) return undefined;
  return refused[0] ? "Only the request was refused." : "Only the response was refused.";
}

/** Message after message, so that a failure shows the first one that went wrong. */
async function checkRefused(
  messages: readonly (readonly string[])[],
  codes: readonly string[],
  words: {
    readonly likely: (got: string, lines: readonly string[]) => string | undefined;
    readonly lookAt: string;
    readonly hint: number;
  },
): Promise<void> {
  const mixed = codes.flatMap((one) => codes.map((other) => `request: ${one}, response: ${other}`));
  for (const lines of messages) {
    await check<string>({
      ...words,
      sent: `${shown(lines)}; as a request, and as a response to GET with status 200`,
      expected: codes.join(", or "),
      accept: (got) => codes.includes(got) || mixed.includes(got),
      got: () => decided(lines),
      likely: shows((got) => differently(got) ?? words.likely(got, lines)),
    });
  }
}

const goodLengths = { "0": 0, "5": 5, "999999999999999": 999_999_999_999_999, "000000000000005": 5 };
test("a plain Content-Length frames a body", async () => {
  await check({
    sent: `${lengths(...Object.keys(goodLengths))
      .map(shown)
      .join("; ")}; ${asBoth}`,
    expected: Object.fromEntries(
      Object.entries(goodLengths).map(([value, length]) => [`Content-Length: ${value}`, `length ${length}`]),
    ),
    got: () => each(lengths(...Object.keys(goodLengths)), decided),
    likely: shows((got) =>
      Object.values(got).some((each) => each.includes("refused"))
        ? "A sound length was refused."
        : "A sound length does not frame every body as the number that it is.",
    ),
    lookAt: lookAtLength,
  });
});

test("chunked frames a body, in any case", async () => {
  const good = codings("chunked", "Chunked", "CHUNKED");
  await check({
    sent: `${good.map(shown).join("; ")}; ${asBoth}`,
    expected: each(good, () => "chunked"),
    got: () => each(good, decided),
    likely: shows((got) =>
      got["Transfer-Encoding: chunked"] === "chunked"
        ? "Upper-case letters made it another coding."
        : "A plain `chunked` does not frame every body.",
    ),
    lookAt,
  });
});

test("a request without either field has no body; a response's lasts until the connection ends", async () => {
  await check({
    sent: "a request and a response to GET, neither with Content-Length or Transfer-Encoding, in HTTP/1.1 and in HTTP/1.0",
    expected: {
      request: "none",
      response: "until-close",
      "1.0 request": "none",
      "1.0 response": "until-close",
    },
    got: () => ({
      request: request([]),
      response: response([]),
      "1.0 request": request([], 0),
      "1.0 response": response([], "GET", 200, 0),
    }),
    likely: shows((got) => {
      if (Object.values(got).some((each) => each.startsWith("refused")))
        return "A message without either field was refused.";
      if (got.request === "until-close")
        return "The request ends with its connection: a client that closes it could not get its response.";
      return got.response === "none" ? "The response has lost its body." : undefined;
    }),
    lookAt: lookAtResponse,
  });
});

test("a message with both a length and a coding is refused", async () => {
  const both = [
    ["Content-Length: 5", "Transfer-Encoding: chunked"],
    ["Content-Length: 0", "Transfer-Encoding: chunked"],
  ];
  await checkRefused(both, [malformed], {
    likely: (got) => {
      if (got === "chunked") return "The coding wins. The next reader may let the length win.";
      return got.startsWith("length")
        ? "The length wins. The next reader may let the coding win."
        : undefined;
    },
    lookAt,
    hint: 1,
  });
});

test("two lengths are refused, the same number twice as well", async () => {
  const two = [
    ["Content-Length: 5", "Content-Length: 6"],
    ["Content-Length: 5", "Content-Length: 5"],
    ["Content-Length: 5", "Content-Length: 5", "Content-Length: 5"],
  ];
  await checkRefused(two, [malformed], {
    likely: (got, lines) => {
      if (!got.startsWith("length")) return undefined;
      return new Set(lines).size === 1
        ? "Equal lengths were taken for one. Another reader may repair this differently."
        : "One of two different lengths was taken. The next reader may take the other one.";
    },
    lookAt: lookAtLength,
    hint: 1,
  });
});

test("a length that is not plain decimal digits is refused", async () => {
  const bad = lengths(
    ...[
      "+5",
      "-1",
      "0x10",
      "0b1",
      "1e3",
      "5.0",
      "1_000",
      "Infinity",
      "",
      "5, 5",
      "5,",
      " 5",
      "5 ",
      "5\t",
      "\u00a05",
    ],
  );
  await checkRefused(bad, [malformed], {
    likely: (got) => {
      if (got.startsWith("length")) return "It was read as a number, although it is not digits alone.";
      return got.includes("none") ? "A field that is there counts as absent." : undefined;
    },
    lookAt: lookAtLength,
    hint: 2,
  });
});

test("a length of more than fifteen digits is refused", async () => {
  const long = lengths("9007199254740993", "1000000000000000", "0000000000000005", "99999999999999999999");
  await checkRefused(long, [malformed], {
    likely: (got, [line = ""]) => {
      const digits = line.replace("Content-Length: ", "");
      if (!got.startsWith("length")) return undefined;
      if (digits.startsWith("0")) return "It passed: leading zeros were not counted as digits.";
      return got === `length ${digits}`
        ? "A length of sixteen digits passed."
        : "The number that was read is not the one that was sent.";
    },
    lookAt: lookAtLength,
    hint: 2,
  });
});

test("a coding in front of chunked is refused as not supported", async () => {
  const other = [
    ...codings("gzip, chunked", "gzip,chunked", "chunked, chunked", "br, gzip, Chunked", ",chunked"),
    ["Transfer-Encoding: gzip", "Transfer-Encoding: chunked"],
    ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
  ];
  await checkRefused(other, [unsupported], {
    likely: (got, lines) => {
      if (got === malformed) return "It was refused as malformed, although `chunked` comes last.";
      if (got !== "chunked") return undefined;
      return lines.length > 1
        ? "Two fields count as one `chunked`: one of them was not read, or made no difference."
        : "It counts as `chunked`, although something stands in front of it.";
    },
    lookAt,
    hint: 2,
  });
});

test("a message in which chunked does not come last is refused", async () => {
  const other = [
    ...codings("gzip", "identity", "chunked, gzip", "xchunked", "chunkedx", '"chunked"', "chunked;q=1", ""),
    ...codings("\u00a0chunked", "chunked,"),
    ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
    ["Transfer-Encoding: chunked", "Transfer-Encoding: "],
  ];
  await checkRefused(other, [malformed, unsupported], {
    likely: (got, lines) => {
      if (got.includes("none")) return "A coding that is there counts as absent.";
      if (got !== "chunked") return undefined;
      return lines.length > 1
        ? "Two fields count as one `chunked`: one of them was not read, or made no difference."
        : "It counts as `chunked`, although it is not that word alone.";
    },
    lookAt,
    hint: 2,
  });
});

test("an unclear coding beside a length is refused", async () => {
  const both = [
    ["Content-Length: 5", "Transfer-Encoding: "],
    ["Content-Length: 5", "Transfer-Encoding: identity"],
    ["Content-Length: 5", "Content-Length: 6", "Transfer-Encoding: chunked"],
  ];
  await checkRefused(both, [malformed, unsupported], {
    likely: (got) => {
      if (got === "chunked") return "The coding frames the body, as if there were no length.";
      return got.startsWith("length") ? "The length frames the body, as if there were no coding." : undefined;
    },
    lookAt,
    hint: 1,
  });
});

test("a transfer coding in HTTP/1.0 is refused, and a length is not", async () => {
  await check({
    sent: `HTTP/1.0 with Transfer-Encoding: chunked, and with Content-Length: 5; ${asBoth}`,
    expected: { "Transfer-Encoding: chunked": malformed, "Content-Length: 5": "length 5" },
    got: () => each([["Transfer-Encoding: chunked"], ["Content-Length: 5"]], (lines) => decided(lines, 0)),
    likely: shows((got) => {
      const { "Transfer-Encoding: chunked": coding = "", "Content-Length: 5": length } = got;
      if (length !== "length 5") return "A sound length does not frame the body in HTTP/1.0.";
      if (coding === "chunked") return "The coding frames the body, as it would in HTTP/1.1.";
      return coding.includes("none") ? "The coding counts as absent." : differently(coding);
    }),
    lookAt,
    hint: 1,
  });
});

const bodyless: readonly (readonly [string, number])[] = [
  ["HEAD", 200],
  ["HEAD", 404],
  ["GET", 100],
  ["GET", 103],
  ["GET", 199],
  ["POST", 204],
  ["GET", 304],
];

test("a response to HEAD, a 1xx, a 204 and a 304 have no body, whatever their fields say", async () => {
  const kinds = [["Content-Length: 5"], ["Transfer-Encoding: chunked"], []];
  await check({
    sent: `responses with Content-Length: 5, with Transfer-Encoding: chunked, and with neither: ${bodyless.map((each) => each.join(" ")).join(", ")}`,
    expected: Object.fromEntries(bodyless.map((each) => [each.join(" "), ["none", "none", "none"]])),
    got: () =>
      Object.fromEntries(
        bodyless.map(([method, status]) => [
          `${method} ${status}`,
          kinds.map((lines) => response(lines, method, status)),
        ]),
      ),
    likely: shows((got) => {
      const bodies = Object.entries(got).filter(([, words]) =>
        words.some((word) => /^(len|chu|unt)/.test(word)),
      );
      if (bodies.length === 0) return undefined;
      return `The router waits for a body that never comes: ${bodies.map(([which]) => which).join(", ")}.`;
    }),
    lookAt: lookAtResponse,
    hint: 3,
  });
});

test("every other response has the body that its fields declare", async () => {
  const statuses = [200, 201, 203, 205, 206, 301, 303, 305, 400, 404, 500, 503];
  await check({
    sent: `responses to GET and POST with Content-Length: 5: ${statuses.join(", ")}`,
    expected: Object.fromEntries(statuses.map((status) => [status, ["length 5", "length 5"]])),
    got: () =>
      Object.fromEntries(
        statuses.map((status) => [
          status,
          ["GET", "POST"].map((method) => response(["Content-Length: 5"], method, status)),
        ]),
      ),
    likely: shows((got) => {
      const lost = Object.entries(got).filter(([, words]) => words.includes("none"));
      if (lost.length === 0) return undefined;
      return `These bodies would be read as the next response: ${lost.map(([status]) => status).join(", ")}.`;
    }),
    lookAt: lookAtResponse,
    hint: 3,
  });
});

test("a response without a body is still refused for fields that are not sound", async () => {
  const unsound = [
    ["Content-Length: 5", "Content-Length: 6"],
    ["Content-Length: 5", "Transfer-Encoding: chunked"],
    ["Content-Length: x"],
    ["Transfer-Encoding: gzip, chunked"],
  ];
  await check({
    sent: `${unsound.map(shown).join("; ")}; each on a response to HEAD, and on a 103, a 204 and a 304`,
    expected: each(unsound, (lines) => (shown(lines).includes("gzip") ? unsupported : malformed)),
    got: () =>
      each(unsound, (lines) => {
        const cases = [
          ["HEAD", 200],
          ["GET", 103],
          ["GET", 204],
          ["GET", 304],
        ] as const;
        const words = cases.map(([method, status]) => response(lines, method, status));
        return words.every((word) => word === words[0]) ? `${words[0]}` : words.join(", ");
      }),
    likely: shows((got) => {
      const words = Object.values(got).flatMap((each) => each.split(", "));
      if (!words.every((word) => word.startsWith("refused")))
        return "Fields that are not sound passed. They are sent on, and the next reader sees them.";
      return got["Transfer-Encoding: gzip, chunked"] === malformed
        ? "A coding in front of `chunked` was refused as malformed."
        : undefined;
    }),
    lookAt: lookAtResponse,
    hint: 3,
  });
});

test("each refusal names the rule that was broken", async () => {
  const unsound = [
    ["Content-Length: 5", "Content-Length: 6"],
    ["Content-Length: x"],
    ["Content-Length: 5", "Transfer-Encoding: chunked"],
    ["Transfer-Encoding: gzip, chunked"],
    ["Transfer-Encoding: gzip"],
  ];
  const ruleOf = (lines: readonly string[], minorVersion: MinorVersion) => {
    const body = requestBody(fieldsOf(lines), minorVersion);
    return "rule" in body
      ? body.rule.trim() === ""
        ? "refused without a rule"
        : "refused by a rule"
      : body.kind;
  };
  const coding = ["Transfer-Encoding: chunked"];
  await check({
    sent: `requests with ${unsound.map(shown).join("; ")}; and HTTP/1.0 with ${shown(coding)}: the rule of each refusal`,
    expected: { ...each(unsound, () => "refused by a rule"), "HTTP/1.0": "refused by a rule" },
    got: () => ({ ...each(unsound, (lines) => ruleOf(lines, 1)), "HTTP/1.0": ruleOf(coding, 0) }),
    likely: shows((got) =>
      Object.values(got).every((word) => word.startsWith("refused"))
        ? "A refusal has no rule: the log cannot say why the message was turned away."
        : "Not all of these messages were refused.",
    ),
    lookAt: "framing.ts, the refusals at its top",
    hint: 1,
  });
});
