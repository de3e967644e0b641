// Medians, ranges and paired ratios. Pure. No means and no standard deviations: a handful of rounds on a shared
// machine has outliers in one direction only, and a mean would report the neighbour's build.

/** A median with the smallest and largest value it came from. */
export type Spread = { readonly median: number; readonly min: number; readonly max: number };

/** @throws RangeError when `values` is empty. */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (min === undefined || max === undefined) throw new RangeError("Cannot take the median of no values");
  const middle = sorted.length / 2;
  const low = sorted[Math.ceil(middle) - 1] ?? min;
  const high = sorted[Math.floor(middle)] ?? max;
  return { median: (low + high) / 2, min, max };
}

/**
 * The ratio in each round that both took part in, then the median of those ratios. Rounds are paired because the two
 * measurements of one round are seconds apart and share the weather; medians of different rounds may not.
 * Returns undefined when no round is shared.
 */
export function pairedRatio(
  values: ReadonlyMap<number, number>,
  references: ReadonlyMap<number, number>,
): Spread | undefined {
  const ratios: number[] = [];
  for (const [round, value] of values) {
    const reference = references.get(round);
    if (reference !== undefined && reference > 0) ratios.push(value / reference);
  }
  return ratios.length === 0 ? undefined : spread(ratios);
}

/**
 * The order of each round: A B C, then B C A, then C A B. Interleaving spreads slow drift (heat, a neighbour) over all;
 * rotating keeps anyone from always running behind the same predecessor.
 */
export function rotatedRounds<T>(items: readonly T[], rounds: number): T[][] {
  return Array.from({ length: rounds }, (_, round) => {
    const shift = items.length === 0 ? 0 : round % items.length;
    return [...items.slice(shift), ...items.slice(0, shift)];
  });
}
