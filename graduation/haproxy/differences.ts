// What HAProxy 2.6 does otherwise than the contracts ask, and why: each cause with the words for a reader, and the core cases
// that it explains. `contract-results.ts` fails for a broken core case that has no cause here, and for a cause whose case holds.

import type { Difference } from "./difference.ts";
import { httpDifferences } from "./http-differences.ts";

const watchers = [
  "http://127.0.0.1:5173",
  "http://127.0.0.1",
  "http://localhost:4173",
  "http://LOCALHOST:8080",
];

export const differences: readonly Difference[] = [
  ...httpDifferences,
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
      "protection > retries > not once an interim response has gone to the client",
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
