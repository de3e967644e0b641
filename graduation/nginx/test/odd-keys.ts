// Routing keys that a configuration could misread, and tables over them.

import fc from "fast-check";
import { placementNames } from "../../../shared/testkit/cluster.ts";

/** Words of nginx's map, its quotes, escapes and variables, regular expressions, and letters that only differ in case. */
export const oddKeys = [
  "default",
  "hostnames",
  "volatile",
  "include",
  "include /etc/passwd",
  "~^.*$",
  "~*acme",
  "\\",
  "\\default",
  "\\\\",
  "\\n",
  "a\\",
  '"',
  "'",
  '"; } server { listen 1; } #',
  "a b",
  "a;b",
  "a{b}",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a key that looks like our own variable.
  "${dollar}",
  "$request_uri",
  "$",
  "a$",
  "#",
  "ключ",
  "Ключ",
  "clé",
  "CLÉ",
  "🙂",
  "acme",
  "Acme",
  "ACME",
  "globex",
  "*.example.com",
  ".example.com",
  "__proto__",
  "constructor",
  "0",
  "k".repeat(256),
  "1 tier none acme",
];

const pieces = [
  "\\",
  '"',
  "'",
  "$",
  "{",
  "}",
  ";",
  "#",
  "~",
  " ",
  "a",
  "A",
  "é",
  "É",
  "default",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a key that looks like our own variable.
  "${dollar}",
  "n",
  "*",
  ".",
];

/** Keys that a request can carry: see `routingKey` of m4's validator. */
export const anyKey = fc
  .oneof(
    fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 6 }).map((parts) => parts.join("")),
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }),
    fc.constantFrom(...oddKeys),
  )
  .filter((key) => /^(?!\s)[^\p{Cc}\p{Cs}]+(?<!\s)$/u.test(key) && Buffer.byteLength(key) <= 256);

/** A document over these keys; the placement goes by the key's place in the list. */
export function documentOver(
  keys: readonly string[],
  urlOf = (name: string) => defaultUrls[name] ?? "",
): object {
  const placement = (name: string) => ({ kind: name === "visa" ? "dedicated" : "tier", url: urlOf(name) });
  return {
    version: "odd",
    defaultPlacement: "tier3",
    routingTable: Object.fromEntries(keys.map((key, at) => [key, placementNames[at % 4]])),
    placements: Object.fromEntries(placementNames.map((name) => [name, placement(name)])),
  };
}

const defaultUrls: Readonly<Record<string, string>> = {
  visa: "http://127.0.0.1:9004",
  tier1: "http://127.0.0.1:9001",
  tier2: "http://127.0.0.1:9002",
  tier3: "http://127.0.0.1:9003",
};
