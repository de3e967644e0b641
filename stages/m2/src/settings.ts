// What can be set from outside, by environment variables. Every fault is named before anything starts.

import { fileURLToPath } from "node:url";
import { z } from "zod";

const port = z
  .string()
  .regex(/^\d{1,5}$/, "expected a port, 0 to 65535")
  .transform(Number)
  .pipe(z.number().max(65_535));
const limitMs = z
  .string()
  .regex(/^\d{1,9}$/, "expected milliseconds, 0 to turn the limit off")
  .transform(Number);
const levels = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;

// #region settings
const schema = z.object({
  /** Address to listen on. Loopback unless told otherwise: the router trusts whoever can reach it. */
  HOST: z.string().min(1).default("127.0.0.1"),
  /** Port for clients; 0 takes any free one. */
  PORT: port.default(8080),
  /** Port for operators, on loopback; 0 takes any free one. */
  ADMIN_PORT: port.default(8082),
  LOG_LEVEL: z.enum(levels).default("info"),
  /** From a request's end to the head of its response. A long poll needs more. */
  HEAD_TIMEOUT_MS: limitMs.default(10_000),
  /** Silence inside a response's body. A quiet event stream needs more. */
  BODY_IDLE_TIMEOUT_MS: limitMs.default(30_000),
  /** An idle client connection; above the 60 s of common load balancers, so that they close first. */
  KEEP_ALIVE_TIMEOUT_MS: limitMs.default(65_000),
  /** The routing table. Relative paths start at the working directory. */
  ROUTING_FILE: z
    .string()
    .min(1)
    .default(fileURLToPath(new URL("../routing.json", import.meta.url))),
});
// #endregion settings

export type Settings = z.infer<typeof schema>;

/** Throws a `SettingsError` that names every fault, one a line. */
export function readSettings(environment: Readonly<Record<string, string | undefined>>): Settings {
  const result = schema.safeParse(environment);
  if (result.success) return result.data;
  const faults = result.error.issues.map((issue) => {
    const name = issue.path.join(".");
    return `${name}=${JSON.stringify(environment[name] ?? "")}: ${issue.message}`;
  });
  throw new SettingsError(`Cannot start: ${faults.join("\n")}`);
}

export class SettingsError extends Error {
  override readonly name = "SettingsError";
}
