// Turns single probe results into "healthy" or "unhealthy": pure counting of results in a row. Asking the cell is
// left to `health-checker.ts`.

import type { HealthSettings } from "./resilience-settings.ts";

/** Each state counts what speaks against it; the other kind of result starts the count again. */
export type HealthState =
  | { readonly kind: "healthy"; readonly failuresInARow: number }
  | { readonly kind: "unhealthy"; readonly successesInARow: number };

// #region rise-and-fall
const HEALTHY: HealthState = { kind: "healthy", failuresInARow: 0 };
const UNHEALTHY: HealthState = { kind: "unhealthy", successesInARow: 0 };

/**
 * A cell that was never probed counts as healthy: otherwise a router that just started, or a table that just
 * arrived, would refuse every request until the first probes are back.
 */
export const INITIAL_HEALTH: HealthState = HEALTHY;

/**
 * The state after one more probe. One lost probe proves nothing, and neither does one response from a cell that
 * is just starting: `fall` failures in a row make a cell unhealthy, `rise` successes in a row healthy again.
 */
export function nextHealth(
  state: HealthState,
  probeSucceeded: boolean,
  { rise, fall }: Pick<HealthSettings, "rise" | "fall">,
): HealthState {
  if (state.kind === "healthy") {
    if (probeSucceeded) return HEALTHY;
    const failuresInARow = state.failuresInARow + 1;
    return failuresInARow >= fall ? UNHEALTHY : { kind: "healthy", failuresInARow };
  }
  if (!probeSucceeded) return UNHEALTHY;
  const successesInARow = state.successesInARow + 1;
  return successesInARow >= rise ? HEALTHY : { kind: "unhealthy", successesInARow };
}
// #endregion rise-and-fall
