// Which of several kinds comes up, some of them more often than others.

import type { Random } from "../../shared/fuzz/random.ts";

/** One of the names, each as often as its weight says. */
export function weighted<Name extends string>(random: Random, weights: Readonly<Record<Name, number>>): Name {
  const all = Object.entries(weights) as [Name, number][];
  let at = random.below(all.reduce((sum, [, weight]) => sum + weight, 0));
  for (const [name, weight] of all) {
    at -= weight;
    if (at < 0) return name;
  }
  throw new RangeError("Cannot pick from no weights");
}
