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
    step: "a head's fields in one compact table of offsets",
    costs: "A response head is valid during one call only.",
  },
  {
    name: "heads-as-slices",
    part: "parser",
    step: "heads passed on as slices of their text",
    costs: "Offsets instead of a list of fields: harder to read, easier to get wrong.",
  },
  {
    name: "names-by-bytes",
    part: "parser",
    step: "field names compared by their bytes, without a string",
    costs: "A comparison that is correct only for token bytes.",
  },
  {
    name: "head-end",
    part: "parser",
    step: "the end of a head found by checking every fourth byte",
    costs: "Fifteen lines instead of one call.",
  },
  {
    name: "raw-sockets",
    part: "sockets",
    step: "raw sockets, for reading and writing",
    costs:
      "Not a public API of Node: m5 checks for it when it starts, and otherwise uses streams. Both ways are tested.",
  },
  {
    name: "raw-writes",
    part: "sockets",
    step: "raw sockets for writing only",
    costs: "The same as raw sockets.",
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
    costs: "A head may still be unsent when its attempt fails, so the exchange must know what has left.",
  },
  {
    name: "one-timer",
    part: "sockets",
    step: "one timer for all time limits",
    costs: "A limit fires up to 500 ms late.",
  },
  {
    name: "last-used-first",
    part: "sockets",
    step: "the connection used last goes first",
    costs: "Nothing. The reason for it is fewer stale connections; CPU time is a side effect.",
  },
  {
    name: "log",
    part: "trim",
    step: "log lines put together by hand, not by pino",
    costs: "m5 must prove that each line stays one line of JSON.",
  },
  {
    name: "log-batches",
    part: "trim",
    step: "log: many lines in one write",
    costs: "A line waits up to 100 ms, and is lost if the process is killed meanwhile.",
  },
  {
    name: "one-shape",
    part: "trim",
    step: "log: entries of one shape",
    costs: "A field is set even where its value is unknown.",
  },
  {
    name: "plain-texts",
    part: "trim",
    step: "log: plain texts are not escaped",
    costs: "A regular expression must know every character that JSON escapes.",
  },
  {
    name: "time-text",
    part: "trim",
    step: "log: the text of the time, made once per millisecond",
    costs: "A cache of one.",
  },
  {
    name: "whole-microseconds",
    part: "trim",
    step: "log: durations printed as two whole numbers",
    costs: "Rounding by hand.",
  },
  {
    name: "prerendered",
    part: "trim",
    step: "header and log texts of a decision, made once per placement",
    costs: "One more file and a cache per placement; a log entry has a field twice, ready and raw.",
  },
  {
    name: "attempts-by-calls",
    part: "trim",
    step: "attempts that continue by calls, not by promises",
    costs: "What follows an attempt is not the next line, and exceptions must be caught by hand.",
  },
  {
    name: "tallies",
    part: "trim",
    step: "counts as plain numbers, named when somebody scrapes",
    costs: "Two more files, and a histogram of our own that a test compares with prom-client's.",
  },
  {
    name: "abort-signals",
    part: "trim",
    step: "an abort signal only for a request that has to wait",
    costs: "A signal that is made after the client has left must be aborted at once.",
  },
  {
    name: "all-trim",
    after: ["attempts-by-calls", "log", "tallies"],
    part: "trim",
    step: "together: log by hand, texts made once, calls, counts",
    costs: "Everything that its parts cost.",
  },
];

/** In the place of a rung: m5 once more, with nothing taken out. How far it seems to be from m5 is noise. */
export const noise = "nothing";
