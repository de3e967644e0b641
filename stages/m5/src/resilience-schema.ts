// What makes the optional resilience settings of a routing document valid: bounds, units and defaults by field. It
// extends the document's schema in `routing-table.ts`. No Node API: the same validator runs in a browser.

import { z } from "zod";
import {
  DEFAULT_CIRCUIT_BREAKER,
  DEFAULT_HEALTH,
  DEFAULT_RETRIES,
  DEFAULT_RETRY_BUDGET,
  MOST_RETRIES,
} from "./resilience-settings.ts";
import { mapOf } from "./validation.ts";

/** In characters: what a request line and a log line may carry. */
const maxPathLength = 1_024;
const maxKeyLength = 256;

/** An hour at most: a longer time was meant in another unit. */
const milliseconds = z.number().min(1).max(3_600_000);
const count = z.int().min(1).max(1_000_000);
const ratio = z.number().gt(0).max(1);

const rateLimit = z.strictObject({
  ratePerSecond: z.number().gt(0).max(1_000_000).describe("Requests per second in the long run."),
  burst: z.number().min(1).max(1_000_000).describe("Requests at once when the bucket is full."),
});

const health = z.strictObject({
  path: z
    .string()
    .max(maxPathLength, { abort: true })
    // After a second slash, or a backslash, would come a host: the probe would go there.
    .regex(/^\/(?![/\\])[!"$-~]*$/, "a path begins with one / and has no spaces and no #")
    .default(DEFAULT_HEALTH.path),
  intervalMs: milliseconds.default(DEFAULT_HEALTH.intervalMs),
  timeoutMs: milliseconds.default(DEFAULT_HEALTH.timeoutMs),
  rise: count.default(DEFAULT_HEALTH.rise),
  fall: count.default(DEFAULT_HEALTH.fall),
});

const circuitBreaker = z.strictObject({
  consecutiveFailures: count.default(DEFAULT_CIRCUIT_BREAKER.consecutiveFailures),
  failureRatio: ratio.default(DEFAULT_CIRCUIT_BREAKER.failureRatio),
  windowMs: milliseconds.default(DEFAULT_CIRCUIT_BREAKER.windowMs),
  minimumRequests: count.default(DEFAULT_CIRCUIT_BREAKER.minimumRequests),
  waitMs: milliseconds.default(DEFAULT_CIRCUIT_BREAKER.waitMs),
  maxWaitMs: milliseconds.default(DEFAULT_CIRCUIT_BREAKER.maxWaitMs),
  halfOpenProbes: count.default(DEFAULT_CIRCUIT_BREAKER.halfOpenProbes),
});

const retries = z.strictObject({
  maxRetries: z.int().min(0).max(MOST_RETRIES).default(DEFAULT_RETRIES.maxRetries),
  baseMs: milliseconds.default(DEFAULT_RETRIES.baseMs),
  capMs: milliseconds.default(DEFAULT_RETRIES.capMs),
});

const retryBudget = z.strictObject({
  ratio: z.number().min(0).max(1).default(DEFAULT_RETRY_BUDGET.ratio),
  minPerSecond: z.number().min(0).max(1_000).default(DEFAULT_RETRY_BUDGET.minPerSecond),
  maxBalance: z.number().min(1).max(1_000_000).default(DEFAULT_RETRY_BUDGET.maxBalance),
});

// #region resilience-schema
/** Fields of one placement. */
export const placementResilience = {
  rateLimit: rateLimit.optional().describe("Of all requests whose routing key leads here."),
  concurrencyLimit: count.optional().describe("Most requests in flight at one moment."),
  health: health.optional().describe("Active health check of the endpoint."),
  circuitBreaker: circuitBreaker.optional(),
  fallback: z.array(z.string()).max(16).optional().describe("Who may serve in this one's stead, best first."),
  retries: retries.optional(),
};

/** Fields at the top of the document. */
export const tableResilience = {
  keyLimits: mapOf(z.string().min(1).max(maxKeyLength), rateLimit)
    .optional()
    .describe("Rate limit of single routing keys."),
  unlistedKeysLimit: rateLimit
    .optional()
    .describe("One rate limit for all routing keys together that the table does not name."),
  retryBudget: retryBudget.optional().describe("How much load retries may add, for each placement."),
};
// #endregion resilience-schema
