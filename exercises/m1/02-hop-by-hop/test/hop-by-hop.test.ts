import { test } from "vitest";
import { check } from "../../../support/check.ts";
import { endToEnd } from "../starter/hop-by-hop.ts";

const lookAt = "hop-by-hop.ts, endToEnd";
const lookAtNames = "hop-by-hop.ts, connectionOptions";
const nothingOwned: ReadonlySet<string> = new Set();

/** One field a line, as on the wire, so that a failure reads like a message. */
const kept = (fields: readonly string[], owned = nothingOwned): string[] => {
  const raw = fields.flatMap((field) => field.split(/: (.*)/s).slice(0, 2));
  const left = endToEnd(raw, owned);
  return left.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${left[i + 1]}`] : []));
};

test("fields about the message pass: order, case, repetition and bytes as they came", async () => {
  const fields = ["Set-Cookie: a=1", "accept: */*", "X-Name: caf\u00e9", "Set-Cookie: b=2", "constructor: x"];
  await check({
    sent: fields.join("\n"),
    expected: fields,
    got: () => kept(fields),
    likely: "The fields went through an object or a map, which keeps one of each name.",
    lookAt,
  });
});

test("fields about the connection stop here, whether or not Connection names them", async () => {
  const fields = ["Keep-Alive: timeout=5", "TE: trailers", "UPGRADE: websocket", "Proxy-Connection: close"];
  const more = ["Transfer-Encoding: chunked", "Proxy-Authorization: Basic eA==", "expect: 100-continue"];
  await check({
    sent: [...fields, ...more, "Accept: */*"].join("\n"),
    expected: ["Accept: */*"],
    got: () => kept([...fields, ...more, "Accept: */*"]),
    likely: "Some of these fields are taken for fields about the message.",
    lookAt,
  });
});

test("fields that the router writes itself stop here", async () => {
  await check({
    sent: 'X-Routed-To: visa and Accept: */*, with owned = {"x-routed-to"}',
    expected: ["Accept: */*"],
    got: () => kept(["X-Routed-To: visa", "Accept: */*"], new Set(["x-routed-to"])),
    likely: "The router's own copy would travel beside the one that somebody else made up.",
    lookAt,
  });
});

test("the list that came is left as it was", async () => {
  const raw = ["Connection", "close", "Accept", "*/*"];
  await check({
    sent: "Connection: close and Accept: */*; then the list that was given",
    expected: ["Connection", "close", "Accept", "*/*"],
    got: () => {
      endToEnd(raw, nothingOwned);
      return raw;
    },
    likely: "Fields are taken out of the list itself; the log and a second attempt still need it.",
    lookAt,
  });
});

test("Connection takes neither framing nor routing away from the message", async () => {
  const needed = ["Content-Length: 5", "Host: shop.example", "X-Routing-Key: acme", "Set-Cookie: a=1"];
  for (const field of needed) {
    const name = field.split(":")[0]?.toLowerCase() ?? "";
    await check({
      sent: `Connection: ${name}\n${field}`,
      expected: [field],
      got: () => kept([`Connection: ${name}`, field]),
      likely: `Whoever wrote the Connection field decided what the message is. Ask what follows without ${name}.`,
      lookAt: lookAtNames,
      hint: 3,
    });
  }
});

test("a field that Connection names stops here, in whatever case either is written", async () => {
  for (const option of ["x-debug-token", "X-Debug-Token"]) {
    await check({
      sent: `Connection: ${option}\nx-debug-token: s3cret\nX-DEBUG-TOKEN: s3cret\nAccept: */*`,
      expected: ["Accept: */*"],
      got: () =>
        kept([`Connection: ${option}`, "x-debug-token: s3cret", "X-DEBUG-TOKEN: s3cret", "Accept: */*"]),
      likely: "The name was found, but compared letter by letter.",
      lookAt: lookAtNames,
      hint: 1,
    });
  }
});

test("every option of a Connection list counts, empty ones and spaces aside", async () => {
  const fields = ["Connection: close , x-one,,\tx-two ,", "x-one: 1", "x-two: 2", "x-three: 3"];
  await check({
    sent: fields.join("\n"),
    expected: ["x-three: 3"],
    got: () => kept(fields),
    likely: "The whole value was taken for one name, or the spaces for a part of a name.",
    lookAt: lookAtNames,
    hint: 2,
  });
});

test("a second Connection field counts as much as the first", async () => {
  const fields = ["Connection: x-one", "Connection: x-two", "x-one: 1", "x-two: 2", "x-three: 3"];
  await check({
    sent: fields.join("\n"),
    expected: ["x-three: 3"],
    got: () => kept(fields),
    likely: "One Connection field was read. A list may come in several fields.",
    lookAt: lookAtNames,
    hint: 2,
  });
});

test("a field stops here also when Connection comes after it", async () => {
  await check({
    sent: "x-one: 1\nConnection: x-one\nAccept: */*",
    expected: ["Accept: */*"],
    got: () => kept(["x-one: 1", "Connection: x-one", "Accept: */*"]),
    likely: "A field was passed on before all the names were known.",
    lookAt,
    hint: 1,
  });
});
