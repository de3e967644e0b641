// The rungs of m5's ladder: for each step of the rewrite, a patch in rungs/ that takes it out of today's m5 and changes
// nothing else. What each one saves is measured by `npm run bench -- rungs`.

export type Rung = {
  /** Of its patch: rungs/NAME.patch. */
  readonly name: string;
  readonly part: "parser" | "sockets" | "trim";
  /** What the finished router has. */
  readonly step: string;
  /** What the step costs in clarity or care. */
  readonly costs: string;
};

export const rungs: readonly Rung[] = [
  {
    name: "last-used-first",
    part: "sockets",
    step: "the connection used last goes first",
    costs: "Nothing. Its reason is fewer stale connections; CPU time is a side effect.",
  },
];

/** In the place of a rung: m5 once more, with nothing taken out. How far it seems to be from m5 is noise. */
export const noise = "nothing";
