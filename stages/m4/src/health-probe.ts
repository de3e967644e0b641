// Sends one health probe. When probes are sent and what their results mean is left to `health-checker.ts`.

import { Agent, request } from "undici";
import type { Probe } from "./health-checker.ts";

// #region health-probe
/**
 * Makes the probe of a health checker: healthy is a response of 2xx.
 *
 * Each probe opens a connection of its own: over a kept one, a cell that accepts no more connections would look well.
 */
export function healthProbe(): Probe {
  const dispatcher = new Agent({ pipelining: 0 });
  return async (url, signal) => {
    const { statusCode, body } = await request(url, {
      dispatcher,
      signal,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    await body.dump({ limit: 64 * 1024, signal });
    return statusCode >= 200 && statusCode < 300;
  };
}
// #endregion health-probe
