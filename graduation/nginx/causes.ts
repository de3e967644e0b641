// Why nginx 1.22 breaks core cases of the contracts: each cause with the words for a reader, and the cases that it explains.
// A failed core case that no cause explains is a fault of the generator until somebody has looked.

export interface Cause {
  readonly name: string;
  /** What nginx does otherwise, and what that means. One or two sentences. */
  readonly words: string;
  /** Matches the titles of the cases that it explains. */
  readonly cases: RegExp;
}

export const causes: readonly Cause[] = [
  {
    name: "the first of repeated fields",
    words:
      "Before 1.23, nginx's variables hold only the first of several fields with one name. The cell gets that one key too, so both agree; but a request with two keys, or two ids, is not refused.",
    cases: /when the key is repeated|when the client sends two different ones/,
  },
  {
    name: "Connection names no fields",
    words: "nginx removes the fields of a connection that it knows, and none that Connection names.",
    cases: /that Connection names/,
  },
  {
    name: "no Max-Forwards",
    words: "nginx neither counts Max-Forwards down nor turns an absolute OPTIONS without a path into *.",
    cases: /Max-Forwards > |OPTIONS for an origin without a path/,
  },
  {
    name: "no Date of its own for a cell's response",
    words: "Whoever lets a cell's Date pass, as m1 does, gets none where the cell sends none.",
    cases: /Date > is added where a cell has no clock/,
  },
  {
    name: "a lenient request parser",
    words:
      "nginx takes control bytes in values, bare line feeds in chunk lines, chunk extensions of any length, and HTTP/0.9. It ignores trailers, whatever they are. The suite found no request that the cell and nginx read differently.",
    cases: /requests with an unclear (head|body) > /,
  },
  {
    name: "a lenient response parser",
    words:
      "What a cell sends that is not HTTP, nginx passes to the client as it is, as a response of HTTP/0.9. Of two lengths it takes one. A cell that speaks nonsense is not a broken cell to it.",
    cases: /unclear responses > |never repeat what the client or the cell sent|a response that is not HTTP/,
  },
  {
    name: "interim responses end the exchange",
    words:
      "nginx 1.22 takes a 100 or 103 for the final response, and all that follows for its body: fields that the router owns then pass as the cell wrote them. Since 1.29 nginx passes 103 on; before that, cells must send none.",
    cases: /interim response|forge who stood in|204 on with a length of zero|204 is no failure/,
  },
  {
    name: "HTTP/1.0 clients see an orderly end",
    words:
      "A cut body ends with a plain close, which is how HTTP/1.0 ends a whole body, too. HTTP/1.1 clients do see the cut.",
    cases: /shows a client of HTTP\/1\.0 that a body was cut/,
  },
  {
    name: "a refused upload ends the connection",
    words:
      "After a 502 with an unread body nginx closes, and drops the requests that were pipelined behind it.",
    cases: /serves what follows an upload that no cell could take/,
  },
  {
    name: "a log file at its limit",
    words:
      "The suite limits the size of files, and the signal for that (SIGXFSZ) ends the worker. A disk that is full only loses lines.",
    cases: /a log that cannot be written > /,
  },
  {
    name: "one timer for head and body",
    words:
      "proxy_read_timeout covers the wait for the head and every silence in the body. With 30 s a silent body gets what m1 gives it, and a missing head gets 30 s too, instead of 10.",
    cases: /sends no head for 10 seconds|does not answer in time is a failure/,
  },
  {
    name: "no active health checks",
    words: "They are part of the commercial version. Here a cell is judged by requests alone.",
    cases: /health checks > |its defaults are filled in/,
  },
  {
    name: "passive ejection is not a circuit breaker",
    words:
      "max_fails counts failures without regard to successes between them, knows no ratio, lets one request through when fail_timeout is over, and never waits longer. In a group of one cell, a status is never a failure.",
    cases:
      /the circuit breaker > |half-open > |a fallback's (own circuit holds|failures count)|100 Continue is refused without it when nobody/,
  },
  {
    name: "a failed attempt goes on to the backup",
    words:
      "proxy_next_upstream goes on to the fallback after a status or a reset too, where m4 goes there only when the cell cannot be reached or is out.",
    cases:
      /GET goes nowhere else|an open circuit leads to the fallback|a retry goes where the request would go now|a retry that nobody takes/,
  },
  {
    name: "retries at once, and no budget",
    words:
      "A retry goes out without a delay, so it meets the same outage, and nothing bounds all retries together: a cell in trouble can get three times its load.",
    cases: /the retry budget > |a connection that cannot be made is tried again/,
  },
  {
    name: "a fallback's limit is not asked",
    words:
      "limit_conn counts by the placement that was routed to. Who stands in as a backup has no limit for that.",
    cases: /the concurrency limit > of a fallback/,
  },
  {
    name: "a reload replaces the workers",
    words:
      "Rates and ejections of another setting begin anew, limits of requests under way stay with the old worker, and kept connections are closed: a request that is on its way on one is lost.",
    cases:
      /a push (neither|that leaves|cannot)|tenant's own cell stands in for nobody|follows pushes|starts anew where a push|fifty pushes|in the long run > |keeps its state over a push/,
  },
  {
    name: "no event stream",
    words: "nginx has counters (stub_status) and no stream of changes.",
    cases: /who may watch > /,
  },
];

/** The cause of a failed case; undefined for one that nobody has explained. */
export function causeOf(title: string): Cause | undefined {
  return causes.find(({ cases }) => cases.test(title));
}
