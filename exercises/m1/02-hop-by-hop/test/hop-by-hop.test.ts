import { test } from "vitest";
import { check } from "../../../support/check.ts";
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
    likely:
      "A header section is a list. An object or a Map keeps one field per name, and a rewrite changes bytes.",
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
    likely: "Some of these fields are taken for fields about the message.",
    lookAt,
  });
});

test("fields that the router writes itself stop here", async () => {
  const fields = ["X-Routed-To: visa", "x-routed-to: acme", "Via: 1.1 edge", "Accept: */*"];
  await check({
    sent: `${shown(fields)}\nwith owned = {"x-routed-to", "via"}`,
    expected: ["Accept: */*"],
    got: () => kept(fields, new Set(["x-routed-to", "via"])),
    likely: "A client's own copy travels beside the one that the router writes.",
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
    likely: "Fields are taken out of the list itself. The log and a second attempt still need it.",
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
        likely: `The sender of this Connection field has removed ${name}. What would the cell do without it?`,
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
      likely: "Field names have no case, and these were compared letter by letter.",
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
  ]) {
    const fields = [`Connection: ${value}`, "x-one: 1", "x-two: 2", "x-three: 3"];
    await check({
      sent: shown(fields),
      expected: ["x-three: 3"],
      got: () => kept(fields),
      likely:
        "Not every member of this list became a name: look at how it is split, and at the spaces and tabs.",
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
    likely:
      "A name was cut at a character that may stand in it, or a field was removed for a part of its name.",
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
      likely: "Not every Connection field was read. A list may span several fields.",
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
    likely: "A field was passed on before all the names were known.",
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
    likely: "A field other than Connection was read as if it named fields.",
    lookAt: lookAtNames,
  });
});
