// What can be set from outside, by environment variables. Every fault is named before anything starts.

import { fileURLToPath } from "node:url";
import { z } from "zod";

/** A number in digits, and in nothing else: `Number` itself also reads "", " 7", "0x7" and "7e0". */
function wholeNumber(min: number, max: number, what = "a whole number") {
  const words = `expected ${what} from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, { error: words, abort: true })
    .transform(Number)
    .refine((value) => value >= min && value <= max, words);
}

const port = wholeNumber(0, 65_535, "a port");
const limitMs = z
  .string()
  .regex(/^\d{1,9}$/, "expected milliseconds, 0 to turn the limit off")
  .transform(Number);
const levels = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;

// #region settings
const schema = z.object({
  /** Address to listen on. Loopback unless told otherwise: the router trusts whoever can reach it. */
  HOST: z.string().min(1, "expected an address of this machine").default("127.0.0.1"),
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
    .min(1, "expected the path of a file")
    .default(fileURLToPath(new URL("../routing.json", import.meta.url))),
});
// #endregion settings

export type Settings = z.infer<typeof schema>;

/** Two listeners need two ports, whatever `HOST` is. */
const withTwoPorts = schema.refine(({ PORT, ADMIN_PORT }) => PORT !== ADMIN_PORT || PORT === 0, {
  error: "PORT and ADMIN_PORT are the same; set one of them to another port",
});

/** Throws a `SettingsError` that names every fault, one per line. */
export function readSettings(environment: Readonly<Record<string, string | undefined>>): Settings {
  const result = withTwoPorts.safeParse(environment);
  if (result.success) return result.data;
  const faults = result.error.issues.map((issue) => {
    const name = issue.path.join(".");
    if (name === "") return issue.message;
    // A secret does not belong in a log.
    if (environment[name]?.includes("@")) return `${name}: ${issue.message}`;
    return `${name}=${JSON.stringify(environment[name] ?? "")}: ${issue.message}`;
  });
  throw new SettingsError(`Cannot start: ${faults.join("\n")}`);
}

export class SettingsError extends Error {
  override readonly name = "SettingsError";
}
