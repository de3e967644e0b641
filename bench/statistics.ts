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
 * The ratio in each round that both took part in. Rounds are paired because the two measurements of one round are seconds
 * apart and share the weather; medians of different rounds may not.
 */
export function ratiosByRound(
  values: ReadonlyMap<number, number>,
  references: ReadonlyMap<number, number>,
): number[] {
  const ratios: number[] = [];
  for (const [round, value] of values) {
    const reference = references.get(round);
    if (reference !== undefined && reference > 0) ratios.push(value / reference);
  }
  return ratios;
}

/** The median of the ratios by round; undefined when no round is shared. */
export function pairedRatio(
  values: ReadonlyMap<number, number>,
  references: ReadonlyMap<number, number>,
): Spread | undefined {
  const ratios = ratiosByRound(values, references);
  return ratios.length === 0 ? undefined : spread(ratios);
}

/** A median, and an interval that holds the true one in `coverage` of all runs. */
export type MedianInterval = {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  /** From 0 to 1. */
  readonly coverage: number;
  readonly count: number;
};

/**
 * From the k-th smallest value to the k-th largest, with the largest k that covers enough. How many of n values lie below
 * the true median is binomial with one half, whatever their distribution is. Fewer than six values cannot cover 95 %:
 * then it is their whole range, and `coverage` says how little that is.
 * @see W. J. Conover, Practical Nonparametric Statistics, 3rd ed. (1999), section 3.2
 * @throws RangeError when `values` is empty.
 */
export function medianInterval(values: readonly number[], enough = 0.95): MedianInterval {
  const sorted = [...values].sort((a, b) => a - b);
  const count = sorted.length;
  const { median, min, max } = spread(sorted);
  let interval: MedianInterval = { median, low: min, high: max, coverage: 0, count };
  // `exactly`: the chance that k - 1 values lie below the median; `below`: that fewer than k do.
  for (let k = 1, exactly = 0.5 ** count, below = exactly; 2 * k <= count + 1; k++) {
    const coverage = 1 - 2 * below;
    if (k > 1 && coverage < enough) break;
    interval = { median, low: sorted[k - 1] ?? min, high: sorted[count - k] ?? max, coverage, count };
    exactly *= (count - k + 1) / k;
    below += exactly;
  }
  return interval;
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
