// What HAProxy 2.6 does otherwise than the contracts ask, and why: each cause with the words for a reader, and the core cases
// that it explains. `contract-results.ts` fails for a broken core case that has no cause here, and for a cause whose case holds.

import type { Difference } from "./difference.ts";

const upgrade = "order on a connection > behind a request for another protocol";
const unclearBody = "requests with an unclear body > refuses";
const watchers = [
  "http://127.0.0.1:5173",
  "http://127.0.0.1",
  "http://localhost:4173",
  "http://LOCALHOST:8080",
];

export const differences: readonly Difference[] = [
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
      "fields of an answer > strips the fields of the connection to the cell, and those that Connection names",
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
      "bodies of an answer > never sends chunks to a client of HTTP/1.0",
      "interim answers > drops interim answers for a client of HTTP/1.0",
    ],
  },
  {
    name: "trailers and interim responses pass as they are",
    kind: "engine",
    words:
      "Rules see the final head only. A cell can forge X-Routed-To in a trailer or a 103; in the final head it cannot.",
    m1: [
      "bodies of an answer > never lets a trailer say where the request went, or how the body is framed",
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
      "a cell that fails in the middle of its answer > shows the client that the answer was cut when a body that ends with the connection is reset",
      "a cell that fails in the middle of its answer > shows a client of HTTP/1.0 that a body was cut, where it is ended by the connection",
    ],
  },
  {
    name: "a half-closed client counts as gone",
    kind: "choice",
    words:
      "`option abortonclose` lets a cell feel that its client has left (four cases of the core). Its price: who closes only its sending side gets 400.",
    m1: [
      "a client that leaves > still gets its answer when it has only ended its sending side, or loses it cleanly",
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
  {
    name: "one time limit for head and body",
    kind: "choice",
    words:
      "`timeout server` covers the wait for the head and the silence within the body alike; only later versions change it per response. It is 30 s here, so a cell that sends no head is given up after 30 s instead of 10 s, and after 75 s where the request has a body.",
    m1: ["time limits > answers 504 when a cell sends no head for 10 seconds"],
    m4: [
      "protection > in the long run > a cell that does not answer in time is a failure, and gives its place back",
      "protection > in the long run > a cell that does not read an upload is a failure",
    ],
  },
  {
    name: "a window instead of a bucket",
    kind: "engine",
    words:
      "Stick tables count in sliding windows. The long-run rate and the first burst are the bucket's, but after a burst nothing is let in until the window has moved on.",
    m4: [
      "protection > in the long run > a rate limit is kept within 1 % over 10 s, whatever is pushed meanwhile",
    ],
  },
  {
    name: "a reload starts with empty counters",
    kind: "choice",
    words:
      "Rates, places, health and ejections belong to a worker, and a reload starts a new one. `peers` and a server state file would carry some of it over. Changes through the Runtime API keep everything.",
    m4: [
      "protection > rate limits > a push neither refills a bucket nor drains it, and a new limit holds at once",
      "protection > the concurrency limit > follows pushes while requests are under way",
      "protection > health checks > a push that leaves the cell alone leaves its health alone",
      "protection > the circuit breaker > keeps its state over a push, and starts closed for another cell",
      "protection > failover > a tenant's own cell stands in for nobody, and nobody for it unless its table says so",
    ],
  },
  {
    name: "a fallback's own limits",
    kind: "engine",
    words:
      "A stand-in is a server of its own in each backend that names it. It follows the cell's health, but its requests are counted apart: the fallback's concurrency limit holds once for its own traffic and once for each that spills over, and failures of a stand-in eject nobody.",
    m4: [
      "protection > the concurrency limit > of a fallback holds for those who fail over to it",
      "protection > failover > a fallback's failures count for the fallback",
    ],
  },
  {
    name: "the third of a chain",
    kind: "engine",
    words:
      "After a refused connection HAProxy avoids the last server only, not all that have failed. With the first two of a chain refusing, the third is reached once checks have marked one of them down.",
    m4: ["protection > failover > the chain is asked in its order, and the next links after it"],
  },
  {
    name: "ejection is not a circuit breaker",
    kind: "engine",
    words:
      "`observe layer7` counts consecutive errors only: no ratio, no half-open probes with real requests, no growing wait, and 500 is an error, too. A cell comes back after `rise` good checks.",
    m4: [
      "protection > the circuit breaker > 500 is no failure: the cell did answer",
      "protection > the circuit breaker > opens at a share of failures, but not before there are enough results to judge by",
      "protection > half-open > a probe that fails opens the circuit again, for twice as long, up to the longest wait",
    ],
  },
  {
    name: "no retry budget",
    kind: "engine",
    words:
      "Retries are bounded per request (two here), not by a share of the traffic: a cell that fails everything sees up to three times its load.",
    m4: [
      "protection > the retry budget > a cell that answers every request with 503 gets at most 1.2 times the load",
      "protection > the retry budget > a cell that resets every connection gets at most 1.2 times the load",
      "protection > the retry budget > a push cannot refill it",
    ],
  },
  {
    name: "retries do not look again",
    kind: "engine",
    words:
      "A retry goes to the same cell although it has just been ejected, unless the table names a fallback; then it goes on to that at once, with the reason `retried`: HAProxy does not tell how the attempt failed. After a 103, a failed retry becomes a 500.",
    m4: [
      "protection > retries > not once an interim answer has gone to the client",
      "protection > retries > a retry goes where the request would go now",
      "protection > retries > a retry that nobody takes is not counted as one",
    ],
  },
  {
    name: "our event stream",
    kind: "not applicable",
    words:
      "These cases read `/events` on the admin port. HAProxy tells the same through its log, its statistics and its Prometheus exporter, in its own words.",
    m4: [
      "protection > health checks > a cell that flaps faster than `fall` is never unhealthy, one that stays down is",
      ...[1, 3, 7].map(
        (count) => `protection > half-open > lets exactly ${count} of 100 concurrent requests through`,
      ),
      ...watchers.map((page) => `protection > who may watch > a page of this machine, ${page}, may read it`),
    ],
  },
];
