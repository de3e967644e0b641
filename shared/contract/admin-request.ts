// Requests to the port for operators.

import type { RawResponse } from "../testkit/http-message.ts";
import { sendRaw } from "../testkit/raw-client.ts";
import { type RequestParts, requestBytes } from "./messages.ts";

/** One request to a router's admin port, whose `Host` it names unless the case names another. */
export function askAdmin(
  adminUrl: string,
  path: string,
  { method = "GET", fields = [] }: Pick<RequestParts, "method" | "fields"> = {},
): Promise<RawResponse> {
  const host = fields.some((field) => /^host:/i.test(field)) ? [] : [`Host: ${new URL(adminUrl).host}`];
  const all = [...host, ...fields, "Connection: close"];
  return sendRaw(adminUrl, requestBytes({ method, target: path, key: null, fields: all }), { method });
}
