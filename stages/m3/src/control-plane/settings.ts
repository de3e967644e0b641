// What can be set from outside for the control plane, by environment variables.

import { fileURLToPath } from "node:url";
import { z } from "zod";
import { port, SettingsError, wholeNumber } from "../settings.ts";

// #region settings
const schema = z.object({
  /** Address to listen on. Loopback unless told otherwise. */
  HOST: z.string().min(1, "expected an address of this machine").default("127.0.0.1"),
  /** Port for the API and for routers; 0 takes any free one. */
  CONTROL_PLANE_PORT: port.default(8081),
  /** Where the routing table is kept; here, in a file. */
  STORE: z
    .literal("file", "this control plane keeps its table in a file; for etcd, npm run graduate etcd")
    .default("file"),
  /** The routing table's one true copy. */
  ROUTING_FILE: z
    .string()
    .min(1, "expected the path of a file")
    .default(fileURLToPath(new URL("../../routing.json", import.meta.url))),
  /** Folder for the token and the table's history. */
  STATE_DIR: z
    .string()
    .min(1, "expected the path of a folder")
    .default(fileURLToPath(new URL("../../.state", import.meta.url))),
  /** The token that writers and routers must present; without it, the one in `STATE_DIR` is used, or made. */
  CONTROL_PLANE_TOKEN: z
    .string()
    .regex(/^[\x21-\x7e]{16,}$/, "expected 16 or more printable characters without a space")
    .optional(),
  /** Where the token is kept; `control-plane-token` in `STATE_DIR` unless told otherwise. */
  CONTROL_PLANE_TOKEN_FILE: z.string().min(1, "expected the path of a file").optional(),
  /** Largest routing table, as a message, in bytes. */
  MAX_MESSAGE_BYTES: wholeNumber(1024, 256 * 1024 * 1024).default(16 * 1024 * 1024),
  LOG_LEVEL: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).default("info"),
});
// #endregion settings

export type ControlPlaneSettings = z.infer<typeof schema>;

/** Throws a `SettingsError` that names every fault, one per line. */
export function readControlPlaneSettings(
  environment: Readonly<Record<string, string | undefined>>,
): ControlPlaneSettings {
  const { CONTROL_PLANE_TOKEN: token, ...rest } = environment;
  // Set to nothing is not set.
  const result = schema.safeParse(token === "" ? rest : environment);
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path, message }) => {
    const name = path.join(".");
    // A secret does not belong in a log.
    if (environment[name]?.includes("@")) return `${name}: ${message}`;
    if (name === "CONTROL_PLANE_TOKEN") return `${name}: ${message}`;
    return `${name}=${JSON.stringify(environment[name] ?? "")}: ${message}`;
  });
  throw new SettingsError(`Cannot start: ${faults.join("\n")}`);
}
