// The rungs of m5's ladder: for each step of the rewrite, a patch in rungs/ that takes it out of today's m5 and changes
// nothing else. What each one saves is measured by `npm run bench -- rungs`.

export type Rung = {
  /** Of its patch: rungs/NAME.patch. */
  readonly name: string;
  /** Rungs whose patches are applied first; its own has only what it adds to them. */
  readonly after?: readonly string[];
  readonly part: "parser" | "sockets" | "trim";
  /** What the finished router has. */
  readonly step: string;
  /** What the step costs in clarity or care. */
  readonly costs: string;
};

export const rungs: readonly Rung[] = [
  {
    name: "field-table",
    part: "parser",
    step: "one compact table of offsets for a head's fields",
    costs: "A response head is valid during one call only.",
  },
  {
    name: "heads-as-slices",
    part: "parser",
    step: "heads passed on as slices of their text",
    costs: "Offsets where there was a list of fields: harder to read, easier to get wrong.",
  },
  {
    name: "names-by-bytes",
    part: "parser",
    step: "field names told apart by their bytes, without a string",
    costs: "A comparison that is right for token bytes only, and says why.",
  },
  {
    name: "head-end",
    part: "parser",
    step: "the end of a head found by looking at every fourth byte",
    costs: "Fifteen lines in place of one call.",
  },
  {
    name: "raw-sockets",
    part: "sockets",
    step: "raw sockets, for reading and writing",
    costs: "No public API of Node: a check at the start, and streams as the fallback. Both ways are tested.",
  },
  {
    name: "raw-writes",
    part: "sockets",
    step: "of raw sockets: writing alone",
    costs: "As raw sockets.",
  },
  {
    name: "onread",
    part: "sockets",
    step: "one buffer for all reads, on both sides",
    costs: "Everything read must be used or copied at once.",
  },
  {
    name: "one-write",
    part: "sockets",
    step: "one write per message",
    costs: "A head can be taken back before it has left, so somebody must count what has.",
  },
  {
    name: "one-timer",
    part: "sockets",
    step: "one timer for all limits",
    costs: "Limits come up to 500 ms late.",
  },
  {
    name: "last-used-first",
    part: "sockets",
    step: "the connection used last goes first",
    costs: "Nothing. Its reason is fewer stale connections; CPU time is a side effect.",
  },
  {
    name: "log",
    part: "trim",
    step: "the log: lines put together by hand, not by pino",
    costs: "That a line stays one line of JSON is ours to prove.",
  },
  {
    name: "log-batches",
    part: "trim",
    step: "of the log: many lines in one write",
    costs: "A line waits for up to 100 ms, and is lost when the process is killed meanwhile.",
  },
  {
    name: "one-shape",
    part: "trim",
    step: "of the log: entries of one shape",
    costs: "A field that is unknown is named all the same.",
  },
  {
    name: "plain-texts",
    part: "trim",
    step: "of the log: plain texts are not escaped",
    costs: "A regular expression must know all that JSON escapes.",
  },
  {
    name: "time-text",
    part: "trim",
    step: "of the log: the time's text, made once per millisecond",
    costs: "A cache of one.",
  },
  {
    name: "whole-microseconds",
    part: "trim",
    step: "of the log: durations printed as two whole numbers",
    costs: "Rounding by hand.",
  },
  {
    name: "prerendered",
    part: "trim",
    step: "texts of decisions, made once per placement",
    costs: "One more file and a cache by placement; a log entry names a field twice, ready and raw.",
  },
  {
    name: "attempts-by-calls",
    part: "trim",
    step: "attempts that go on by calls, not by promises",
    costs: "What follows an attempt is no longer the next line; what throws must be caught by hand.",
  },
  {
    name: "tallies",
    part: "trim",
    step: "counts as plain numbers, named when somebody scrapes",
    costs: "Two more files, and a histogram of our own, held to prom-client's by a test.",
  },
  {
    name: "abort-signals",
    part: "trim",
    step: "an abort signal only for a request that has to wait",
    costs: "Whoever asks late that the client has left must be told so at once.",
  },
  {
    name: "all-trim",
    after: ["attempts-by-calls", "log", "tallies"],
    part: "trim",
    step: "all of trim but raw sockets: log by hand, texts, calls and counts",
    costs: "All that the single steps cost.",
  },
];

/** In the place of a rung: m5 once more, with nothing taken out. How far it seems to be from m5 is noise. */
export const noise = "nothing";
