import { test } from "vitest";
import { check, ifGot } from "../../../support/check.ts";
import { endToEnd } from "../starter/hop-by-hop.ts";

const lookAt = "hop-by-hop.ts, endToEnd";
const lookAtNames = "hop-by-hop.ts, connectionOptions";
const nothingOwned: ReadonlySet<string> = new Set();

const rawOf = (fields: readonly string[]): string[] =>
  fields.flatMap((field) => field.split(/: (.*)/s).slice(0, 2));

/** One field a line, as on the wire, so that a failure reads like a message. */
const kept = (fields: readonly string[], owned = nothingOwned): string[] => {
  const left = endToEnd(rawOf(fields), owned);
  return left.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${left[i + 1]}`] : []));
};

/** Fields as they are shown: one a line, a tab as `\t`. */
const shown = (fields: readonly string[]): string => fields.join("\n").replaceAll("\t", "\\t");

test("fields about the message pass: order, case, repetition and bytes as they came", async () => {
  const fields = [
    "Set-Cookie: a=1",
    "accept: */*",
    "X-Name: caf\u00e9",
    "Set-Cookie: b=2",
    "constructor: x",
    "x-empty: ",
    "ACCEPT: */*",
    "accept: */*",
    "X-Padded:   two  words ",
    "Trailer: x-checksum",
  ];
  await check({
    sent: shown(fields),
    expected: fields,
    got: () => kept(fields),
    likely: ifGot(
      [
        (got) => got.length < fields.length && got.some((field) => /a=1, ?b=2/.test(field)),
        "Fields of one name were joined into one field.",
      ],
      [
        (got) => got.length < fields.length,
        "Fewer fields came out than went in, although none of them is about the connection.",
      ],
      [
        (got) => got.join() !== fields.join() && [...got].sort().join() === [...fields].sort().join(),
        "Every field is there, but in another order.",
      ],
      [
        (got) => got.length === fields.length && got.some((field, i) => field !== fields[i]),
        "As many fields came out as went in, but at least one of them was changed.",
      ],
    ),
    lookAt,
  });
});

test("fields about the connection stop here, whether or not Connection names them", async () => {
  const fields = [
    "Keep-Alive: timeout=5",
    "TE: trailers",
    "UPGRADE: websocket",
    "Proxy-Connection: close",
    "Transfer-Encoding: chunked",
    "Proxy-Authorization: Basic eA==",
    "Proxy-Authenticate: Basic",
    "HTTP2-Settings: AAMAAABk",
    "expect: 100-continue",
    "Connection: close",
    "Accept: */*",
  ];
  await check({
    sent: shown(fields),
    expected: ["Accept: */*"],
    got: () => kept(fields),
    likely: ifGot(
      [(got) => !got.includes("Accept: */*"), "Accept was removed too, although it is about the message."],
      [(got) => got.length === fields.length - 1, "Only one of the fields about the connection was removed."],
      [(got) => got.length > 1, "Some of the fields about the connection were removed, but others passed."],
    ),
    lookAt,
  });
});

test("fields that the router writes itself stop here", async () => {
  const fields = ["X-Routed-To: visa", "x-routed-to: acme", "Via: 1.1 edge", "Accept: */*"];
  await check({
    sent: `${shown(fields)}\nwith owned = {"x-routed-to", "via"}`,
    expected: ["Accept: */*"],
    got: () => kept(fields, new Set(["x-routed-to", "via"])),
    likely: ifGot(
      [
        (got) => !got.includes("Accept: */*"),
        "Accept was removed too, although the router doesn't write it.",
      ],
      [
        (got) => got.filter((field) => /^x-routed-to/i.test(field)).length === 1,
        "One spelling of the field was removed, but the other passed.",
      ],
      [(got) => got.length > 1, "A field that the router writes passed as the client sent it."],
    ),
    lookAt,
  });
});

test("the list that came is left as it was", async () => {
  const fields = ["Connection: close, x-one", "X-One: 1", "Accept: */*"];
  await check({
    sent: `${shown(fields)}\nthen the list that endToEnd was given`,
    expected: rawOf(fields),
    got: () => {
      const raw = rawOf(fields);
      endToEnd(raw, nothingOwned);
      return raw;
    },
    likely: ifGot(
      [
        (got) => got.length < rawOf(fields).length,
        "The list that came is shorter now: fields were taken out of it.",
      ],
      [
        (got) => got.join() !== rawOf(fields).join(),
        "The list that came was written to: its parts have changed.",
      ],
    ),
    lookAt,
  });
});

const needed = ["Content-Length: 5", "Host: shop.example", "X-Routing-Key: acme", "Set-Cookie: a=1"];

test("Connection takes neither framing nor routing away from the message", async () => {
  for (const field of needed) {
    const name = field.split(":")[0] ?? "";
    const lower = name.toLowerCase();
    for (const value of [lower, name, name.toUpperCase(), `close, ${lower}`, `close ,\t${name} , x-one`]) {
      const fields = [`Connection: ${value}`, field];
      await check({
        sent: shown(fields),
        expected: [field],
        got: () => kept(fields),
        likely: ifGot([
          (got) => got.length === 0,
          `${name} is gone: whoever writes this Connection field takes it away from the message.`,
        ]),
        lookAt: lookAtNames,
        hint: 3,
      });
    }
  }
});

test("a field that Connection names stops here, in whatever case either is written", async () => {
  for (const option of ["x-debug-token", "X-Debug-Token"]) {
    const fields = [`Connection: ${option}`, "x-debug-token: s3cret", "X-DEBUG-TOKEN: s3cret", "Accept: */*"];
    await check({
      sent: shown(fields),
      expected: ["Accept: */*"],
      got: () => kept(fields),
      likely: ifGot(
        [(got) => got.length === 3, "The option matched neither spelling of the field's name."],
        [
          (got) => got.length === 2 && got.includes("Accept: */*"),
          "The option matched one spelling of the field's name, but not the other.",
        ],
      ),
      lookAt: lookAtNames,
      hint: 1,
    });
  }
});

test("every option of a Connection list counts, empty ones and spaces aside", async () => {
  for (const value of [
    "close , x-one,,\tx-two ,",
    "x-one,x-two",
    ", x-one\t, x-two",
    "close,, x-two,  x-one",
    "content-length, x-one, x-two",
  ]) {
    const fields = [`Connection: ${value}`, "x-one: 1", "x-two: 2", "x-three: 3"];
    await check({
      sent: shown(fields),
      expected: ["x-three: 3"],
      got: () => kept(fields),
      likely: ifGot(
        [(got) => !got.includes("x-three: 3"), "x-three was removed, although the list doesn't name it."],
        [(got) => got.length === 3, "Neither of the two names in the list was found."],
        [(got) => got.length === 2, "One of the two names in the list was found, but the other was not."],
      ),
      lookAt: lookAtNames,
      hint: 2,
    });
  }
});

test("an option is a whole name, and any token may be one", async () => {
  const odd = "x.debug_token!#$%&'*+^`|~1";
  const fields = [
    `Connection: x-debug, ${odd}`,
    "x-debug: 1",
    `${odd}: 2`,
    "x-debug-token: 3",
    "my-x-debug: 4",
    "x.debug_token: 5",
    "debug: 6",
  ];
  await check({
    sent: shown(fields),
    expected: fields.slice(3),
    got: () => kept(fields),
    likely: ifGot(
      [
        (got) => fields.slice(3).some((field) => !got.includes(field)),
        "A field was removed that shares only a part of its name with an option.",
      ],
      [(got) => got.length === 6, "Neither option was applied to the field of that name."],
      [
        (got) => got.includes(`${odd}: 2`),
        "The plain name in the list was applied, but the one with unusual characters was not.",
      ],
    ),
    lookAt: lookAtNames,
    hint: 2,
  });
});

test("a second Connection field counts as much as the first", async () => {
  for (const connections of [
    ["Connection: x-one", "CONNECTION: x-two"],
    ["Connection: ", "connection: x-one, x-two"],
    ["Connection: x-one", "Connection: close", "Connection: x-two"],
  ]) {
    const fields = [...connections, "x-one: 1", "x-two: 2", "x-three: 3"];
    await check({
      sent: shown(fields),
      expected: ["x-three: 3"],
      got: () => kept(fields),
      likely: ifGot(
        [(got) => !got.includes("x-three: 3"), "x-three was removed, although no Connection field names it."],
        [(got) => got.includes("x-two: 2"), "x-two passed, although the last Connection field names it."],
        [(got) => got.includes("x-one: 1"), "x-one passed, although a Connection field names it."],
      ),
      lookAt: lookAtNames,
      hint: 2,
    });
  }
});

test("a field stops here also when Connection comes after it", async () => {
  const fields = ["x-one: 1", "Connection: x-one", "Accept: */*"];
  await check({
    sent: shown(fields),
    expected: ["Accept: */*"],
    got: () => kept(fields),
    likely: ifGot([
      (got) => got.includes("x-one: 1"),
      "x-one passed. The Connection field that names it stands further down.",
    ]),
    lookAt,
    hint: 1,
  });
});

test("no other field names fields", async () => {
  const fields = ["Proxy-Connection: x-one", "Keep-Alive: x-one", "X-Connection: x-one", "x-one: 1"];
  await check({
    sent: shown(fields),
    expected: ["X-Connection: x-one", "x-one: 1"],
    got: () => kept(fields),
    likely: ifGot(
      [(got) => !got.includes("x-one: 1"), "x-one was removed, although no Connection field names it."],
      [
        (got) => !got.includes("X-Connection: x-one"),
        "X-Connection was removed, although it is a field like any other.",
      ],
      [(got) => got.length > 2, "A field about the connection passed."],
    ),
    lookAt: lookAtNames,
  });
});
