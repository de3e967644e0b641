// What can be set for the control plane on etcd, beside what a stage's control plane has.

import { z } from "zod";
import { SettingsError } from "../../stages/m4/src/settings.ts";

const schema = z.object({
  STORE: z
    .literal("etcd", "this control plane keeps its table in etcd; for a file, start a stage's")
    .default("etcd"),
  /** Client URLs of the cluster's nodes, with commas between. */
  ETCD_ENDPOINTS: z.string().default("http://127.0.0.1:2379").transform(parseEndpoints),
  /** Every key of the store begins with it. Two stores in one cluster need two. */
  ETCD_PREFIX: z
    .string()
    .regex(/^[!-~]{1,200}$/, "expected up to 200 printable characters without a space")
    .default("/cell-routing/"),
});

export type EtcdSettings = z.infer<typeof schema>;

/** Throws a `SettingsError` that names every fault, one per line. */
export function readEtcdSettings(environment: Readonly<Record<string, string | undefined>>): EtcdSettings {
  const result = schema.safeParse(environment);
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path, message }) => {
    const name = path.join(".");
    const value = environment[name] ?? "";
    // A user's password may stand before an @, and this text ends up in a log.
    return value.includes("@") ? `${name}: ${message}` : `${name}=${JSON.stringify(value)}: ${message}`;
  });
  throw new SettingsError(`Cannot start: ${faults.join("\n")}`);
}

function parseEndpoints(text: string, context: z.RefinementCtx): readonly string[] {
  const urls = text.split(",").map((part) => URL.parse(part.trim()));
  // Whatever else a URL may have, such as a user and a password, is not used here.
  const origins = urls.map((url) =>
    url?.href === `${url?.origin}/` && /^https?:$/.test(url.protocol) ? url.origin : "",
  );
  if (!origins.includes("")) return [...new Set(origins)];
  context.addIssue({
    code: "custom",
    message: "expected http://host:port of each node, with commas between, and no user or password",
  });
  return z.NEVER;
}
