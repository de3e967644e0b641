// What can be set from outside, by environment variables. Every fault is named before anything starts.

import { z } from "zod";
import { dialledAt } from "./endpoint.ts";
import { type Placement, staticRoutingTable } from "./routing-table.ts";

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
  LOG_LEVEL: z.enum(levels).default("info"),
  /** From a request's end to the head of its response. A long poll needs more. */
  HEAD_TIMEOUT_MS: limitMs.default(10_000),
  /** Silence inside a response's body. A quiet event stream needs more. */
  BODY_IDLE_TIMEOUT_MS: limitMs.default(30_000),
  /** An idle client connection; above the 60 s of common load balancers, so that they close first. */
  KEEP_ALIVE_TIMEOUT_MS: limitMs.default(65_000),
  /** Endpoints by placement, `visa=http://127.0.0.1:9004,…`, to run the cells elsewhere than on the default ports. */
  CELLS: z.string().default("").transform(parseCells),
});
// #endregion settings

export type Settings = z.infer<typeof schema>;

/** Throws a `SettingsError` that names every fault, one per line. */
export function readSettings(environment: Readonly<Record<string, string | undefined>>): Settings {
  const result = schema.safeParse(environment);
  if (result.success) return result.data;
  const faults = result.error.issues.map((issue) => {
    const name = issue.path.join(".");
    // A secret does not belong in a log.
    if (environment[name]?.includes("@")) return `${name}: ${issue.message}`;
    return `${name}=${JSON.stringify(environment[name] ?? "")}: ${issue.message}`;
  });
  throw new SettingsError(`Cannot start: ${faults.join("\n")}`);
}

export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

function parseCells(text: string, context: z.RefinementCtx): ReadonlyMap<string, string> {
  const { placements } = staticRoutingTable();
  const cells = new Map<string, string>();
  for (const [at, pair] of text.split(",").entries()) {
    if (pair.trim() === "") continue;
    const [name = "", url = ""] = pair.split(/=(.*)/s).map((each) => each.trim());
    const isOrigin = /^http:\/\/[^/?#@\s]+$/.test(url) && URL.canParse(url);
    if (!placements.has(name) || !isOrigin) {
      const names = [...placements.keys()].join(", ");
      context.addIssue({
        code: "custom",
        message: `Write each cell as name=http://host:port, where name is one of ${names}; entry ${at + 1} is not`,
      });
      return z.NEVER;
    }
    cells.set(name, url);
  }
  const fault = sharedCell([...staticRoutingTable(cells).placements.values()]);
  if (fault !== undefined) context.addIssue({ code: "custom", message: fault });
  return cells;
}

/** Isolation: what shares an endpoint shares its cell, and a dedicated cell is one tenant's own. */
function sharedCell(placements: readonly Placement[]): string | undefined {
  for (const { name, url } of placements.filter(({ kind }) => kind === "dedicated")) {
    const other = placements.find((each) => each.name !== name && dialledAt(each.url) === dialledAt(url));
    if (other !== undefined)
      return `${other.name} would share the dedicated cell of ${name}: give it another endpoint`;
  }
  return undefined;
}
