// One short name for the content of a JSON document: equal content has an equal checksum, however it was written down.
// Uses Node's SHA-256; what has to run in a browser takes the function as an argument instead of importing this file.

import { createHash } from "node:crypto";

// #region checksum
/** SHA-256 of the document's canonical form, in 64 lower-case hex digits. `document` comes from `JSON.parse`. */
export function checksumOf(document: unknown): string {
  return createHash("sha256").update(canonicalJson(document)).digest("hex");
}

/**
 * JSON with sorted keys and without spaces: two files that differ in order or layout say the same.
 * @see https://www.rfc-editor.org/rfc/rfc8785 JSON Canonicalization Scheme; strings and numbers there are those of `JSON.stringify`
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key as keyof typeof value])}`);
  return `{${members.join(",")}}`;
}
// #endregion checksum
