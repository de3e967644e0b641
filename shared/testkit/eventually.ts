// Waits for a condition instead of for a length of time: the only way in which a test here may wait.

export interface EventuallyOptions {
  /** What is waited for, in words: the failure says it. */
  readonly what: string;
  /** @default 5000 */
  readonly deadlineMs?: number;
  /** Pause between two looks. @default 5 */
  readonly everyMs?: number;
}

/**
 * Calls `condition` until it returns something truthy, and returns that. A throwing condition counts as not yet.
 *
 * @throws Error with `what`, the time waited and the last error, once the deadline has passed.
 */
export async function eventually<T>(
  condition: () => T | Promise<T>,
  options: EventuallyOptions,
): Promise<NonNullable<T>> {
  const deadlineMs = options.deadlineMs ?? 5000;
  const startedAt = performance.now();
  let lastError: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value as NonNullable<T>;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() - startedAt >= deadlineMs) {
      throw new Error(`Not within ${deadlineMs} ms: ${options.what}`, { cause: lastError });
    }
    await new Promise((resolve) => setTimeout(resolve, options.everyMs ?? 5));
  }
}

/**
 * Waits for a promise at most `deadlineMs`.
 *
 * @throws Error with `what` once the deadline has passed.
 */
export async function within<T>(promise: Promise<T>, deadlineMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Not within ${deadlineMs} ms: ${what}`)), deadlineMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
