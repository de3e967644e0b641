// The character classes of HTTP/1.1 as tables of 256 entries: one load says whether a byte belongs.
// Owns nothing else; what a byte out of place means is decided where the table is used.

export const HTAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const COLON = 0x3a;

/** 1 for each byte of `characters` and of the ranges, 0 for the rest. Bounds are inclusive. */
function tableOf(
  characters: string,
  ...ranges: readonly (readonly [from: number, to: number])[]
): Uint8Array {
  const table = new Uint8Array(256);
  for (const character of characters) table[character.charCodeAt(0)] = 1;
  for (const [from, to] of ranges) table.fill(1, from, to + 1);
  return table;
}

const digits = [0x30, 0x39] as const;
const upper = [0x41, 0x5a] as const;
const lower = [0x61, 0x7a] as const;

/** Method and field names. https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2 */
export const TOKEN = tableOf("!#$%&'*+-.^_`|~", digits, upper, lower);

/** Field values and reason phrases: no control byte but HTAB. https://www.rfc-editor.org/rfc/rfc9110#section-5.5 */
export const FIELD_VALUE = tableOf("\t", [0x20, 0x7e], [0x80, 0xff]);

/**
 * Request targets: visible ASCII without `#`, which is no part of a target; two parties that disagree about
 * where a path ends route it differently. https://www.rfc-editor.org/rfc/rfc9112#section-3.2
 */
export const TARGET = tableOf('!"', [0x24, 0x7e]);

/** Host and port, as one set. No comma: a list of hosts is not a host. https://www.rfc-editor.org/rfc/rfc3986#section-3.2.2 */
export const HOST = tableOf("-._~%!$&'()*+;=:[]", digits, upper, lower);

/** The value of a hexadecimal digit, 255 for every other byte. */
export const HEX_VALUE = new Uint8Array(256).fill(255);
for (let value = 0; value < 16; value++) {
  const digit = value.toString(16);
  HEX_VALUE[digit.charCodeAt(0)] = value;
  HEX_VALUE[digit.toUpperCase().charCodeAt(0)] = value;
}
