// Makes a failing case small enough to be read: takes pieces out as long as it still fails.

import type { Case } from "./messages.ts";

export function smallest(start: Case, fails: (each: Case) => boolean): Case {
  let best = start;
  const withoutCuts = { ...start, cuts: [] };
  if (fails(withoutCuts)) best = withoutCuts;
  for (let size = best.stream.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at < best.stream.length; ) {
      const candidate = { ...best, stream: best.stream.slice(0, at) + best.stream.slice(at + size) };
      if (fails(candidate)) best = candidate;
      else at += size;
    }
  }
  return best;
}
