// The part of `differences.ts` that is about HTTP itself: what HAProxy's parser takes, and what its rules can see.

import type { Difference } from "./difference.ts";

const upgrade = "order on a connection > behind a request for another protocol";
const unclearBody = "requests with an unclear body > refuses";

export const httpDifferences: readonly Difference[] = [
  {
    name: "Host and target must agree",
    kind: "engine",
    words:
      "An absolute target whose host is another than the Host field gets 400 from HAProxy's parser. RFC 9112 §3.2.2 lets the target win.",
    m1: [
      "requests > takes an absolute target with a path and a query, whose host wins over the Host field",
      "requests > takes an absolute target with a query and no path, whose host wins over the Host field",
      "requests > gives an absolute target without a path the path /",
    ],
  },
  {
    name: "one Host twice",
    kind: "engine",
    words: "Two equal Host fields are merged into one before any rule runs. The cell sees one.",
    m1: ["the Host field > answers 400 when it is there twice with one value, and asks no cell"],
  },
  {
    name: "WebSocket handshake",
    kind: "engine",
    words:
      "HAProxy's parser answers an Upgrade to websocket without a Sec-WebSocket-Key with 400, before a rule could remove the Upgrade.",
    m1: [
      "requests > does not pass an upgrade to websocket on, and serves the request without it",
      `${upgrade} > serves the next request whole, in one piece`,
      `${upgrade} > serves the next request whole, head and body apart`,
      `${upgrade} > serves the next request whole, cut in its head`,
      `${upgrade} > serves the next request whole, byte by byte`,
      `${upgrade} > refuses what is no request, in one piece`,
      `${upgrade} > refuses what is no request, byte by byte`,
    ],
  },
  {
    name: "fields that Connection names",
    kind: "engine",
    words:
      "HAProxy removes Connection and the fields that the rules list, but no rule can remove a field that another field names. Such fields reach the cell and the client.",
    m1: [
      "fields that stop at the router > strips every field that Connection names, in any case, spacing and number of fields",
      "response fields > strips the fields of the connection to the cell, and those that Connection names",
    ],
  },
  {
    name: "a lenient parser",
    kind: "engine",
    words:
      "A tab after the method and a bare LF in chunks pass the parser. What the cell gets is written anew and clear, so cell and HAProxy agree on where each request ends.",
    m1: [
      "requests with an unclear head > refuses a tab after the method",
      `${unclearBody} a chunk whose data ends in a bare LF`,
      `${unclearBody} a chunk size that ends in a bare LF`,
      `${unclearBody} a bare LF in a chunk extension`,
    ],
  },
  {
    name: "HTTP/1.0 clients",
    kind: "engine",
    words: "A client of HTTP/1.0 gets chunks and interim responses if the cell sends them.",
    m1: [
      "response bodies > never sends chunks to a client of HTTP/1.0",
      "interim responses > drops interim responses for a client of HTTP/1.0",
    ],
  },
  {
    name: "trailers and interim responses pass as they are",
    kind: "engine",
    words:
      "Rules see the final head only. A cell can forge X-Routed-To in a trailer or a 103; in the final head it cannot.",
    m1: [
      "response bodies > never lets a trailer say where the request went, or how the body is framed",
      "interim responses > lets no interim response say where the request went",
    ],
    m4: [
      "protection > failover > neither a client nor a cell can forge who stood in, or how often it was tried",
    ],
  },
  {
    name: "a reset looks like an end",
    kind: "engine",
    words:
      "A body that ends with the connection ends with a plain close for the client, also where the cell's connection was reset. Bodies with a length or chunks do look cut.",
    m1: [
      "a cell that fails in the middle of its response > shows the client that the response was cut when a body that ends with the connection is reset",
      "a cell that fails in the middle of its response > shows a client of HTTP/1.0 that a body was cut, where it is ended by the connection",
    ],
  },
  {
    name: "a half-closed client counts as gone",
    kind: "choice",
    words:
      "`option abortonclose` aborts the request of a client that has left (four cases of the core). Its price: who closes only its sending side gets 400.",
    m1: [
      "a client that leaves > still gets its response when it has only ended its sending side, or loses it cleanly",
    ],
  },
  {
    name: "deep pipelining",
    kind: "choice",
    words:
      "With `abortonclose`, 2.6 reads ahead; when its 16 KiB are full of pipelined requests it may answer a good one with 400. Without it, 300 of 300 hold, and the cell works on for clients that have left.",
    m1: ["order on a connection > serves 300 pipelined requests over a handful of connections to the cell"],
    sometimes: true,
  },
  {
    name: "a refusal closes at once",
    kind: "engine",
    words:
      "HAProxy's parser refuses and closes in one go. A client that still writes can get a reset before it has read the refusal.",
    m1: [
      ...["with a body", "with a chunked body", "for h2c"].map(
        (kind) => `order on a connection > behind one ${kind} > refuses what is no request, byte by byte`,
      ),
    ],
    sometimes: true,
  },
];
