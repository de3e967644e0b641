// What can be set from outside, by environment variables. Every fault is named before anything starts.

import { fileURLToPath } from "node:url";
import { z } from "zod";

/** A number in digits, and in nothing else: `Number` itself also reads "", " 7", "0x7" and "7e0". */
export function wholeNumber(min: number, max: number, what = "a whole number") {
  const words = `expected ${what} from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, { error: words, abort: true })
    .transform(Number)
    .refine((value) => value >= min && value <= max, words);
}

export const port = wholeNumber(0, 65_535, "a port");
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
  /**
   * Who pushes the table, such as `ws://127.0.0.1:8081/v1/connect`; several, with commas between, push the same one. `off`
   * or nothing: `ROUTING_FILE` alone counts.
   */
  CONTROL_PLANE_URL: z.string().default("ws://127.0.0.1:8081").transform(parseControlPlaneUrls),
  /** The control plane's token; without it, the one in `CONTROL_PLANE_TOKEN_FILE`. */
  CONTROL_PLANE_TOKEN: z
    .string()
    .regex(/^[\x21-\x7e]*$/, "expected printable characters without a space")
    .optional(),
  /** Read for each link, so it may be made later than this router is started. */
  CONTROL_PLANE_TOKEN_FILE: z.string().min(1, "expected the path of a file").optional(),
  /** Folder for the last-known-good snapshot, and for the token of a control plane beside this router. */
  STATE_DIR: z
    .string()
    .min(1, "expected the path of a folder")
    .default(fileURLToPath(new URL("../.state", import.meta.url))),
  /** What the control plane calls this router. */
  ROUTER_ID: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,128}$/, "expected up to 128 letters, digits, dots, dashes and underscores")
    .optional(),
  /** Largest message that is taken from the control plane, in bytes. */
  MAX_MESSAGE_BYTES: wholeNumber(1024, 256 * 1024 * 1024).default(16 * 1024 * 1024),
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
    if (name === "CONTROL_PLANE_TOKEN") return `${name}: ${issue.message}`;
    return `${name}=${JSON.stringify(environment[name] ?? "")}: ${issue.message}`;
  });
  throw new SettingsError(`Cannot start: ${faults.join("\n")}`);
}

export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

/** Undefined for none. An address of the API will do as well: only the scheme and the path differ. */
function parseControlPlaneUrls(text: string, context: z.RefinementCtx): readonly string[] | undefined {
  if (text === "" || text === "off") return undefined;
  const each = text.split(",").map((part) => part.trim());
  const urls = each.map(parseControlPlaneUrl);
  const wrong = urls.indexOf(undefined);
  if (wrong === -1) return [...new Set(urls.filter((url) => url !== undefined))];
  const one = each.length === 1 ? "" : `; entry ${wrong + 1} is neither`;
  context.addIssue({ code: "custom", message: `expected ws://host:port/v1/connect, or off${one}` });
  return z.NEVER;
}

function parseControlPlaneUrl(text: string): string | undefined {
  const url = URL.parse(text.replace(/^http/, "ws"));
  if (url === null || !/^wss?:$/.test(url.protocol) || url.hash !== "") return undefined;
  // A password would stand in the log and on the admin port. The token is a setting of its own.
  if (url.username !== "" || url.password !== "") return undefined;
  if (url.pathname === "/") url.pathname = "/v1/connect";
  return url.href;
}
