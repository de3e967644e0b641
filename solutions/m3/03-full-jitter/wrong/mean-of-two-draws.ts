// How long to wait before the next attempt: capped exponential backoff with full jitter.
// It only computes: the caller counts the attempts, sleeps, and decides when to give up.

export interface BackoffSettings {
  /** Ceiling of the first delay, in milliseconds. */
  readonly baseMs: number;
  /** Ceiling of every delay, in milliseconds; at least `baseMs`. */
  readonly capMs: number;
}

// #region full-jitter
/**
 * The delay before attempt `attempt + 1`, in milliseconds: uniform in [0, min(capMs, baseMs · 2^attempt)).
 *
 * Full jitter draws from the whole range and not only from around its end. Whatever failed for everyone at the
 * same moment is then asked again at moments spread over the range; a fixed delay would bring everyone back
 * together and fail together again.
 *
 * @param attempt How many attempts in a row have already been waited for: 0 for the first delay.
 * @param random  Returns a number in [0, 1).
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function nextDelayMs(
  attempt: number,
  random: () => number,
  { baseMs, capMs }: BackoffSettings,
): number {
  // 2 ** attempt may become Infinity after a thousand attempts: `min` makes that the cap.
  const ceilingMs = Math.min(capMs, baseMs * 2 ** attempt);
  return ((random() + random()) / 2) * ceilingMs;
}
// #endregion full-jitter
