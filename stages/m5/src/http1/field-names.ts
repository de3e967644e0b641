// The field names that this router must recognise, each with a small number. A set of them is a bit mask, so
// "is it one of these" is one operation and a message's fields need no look-up by string.

/** Every known field. `other` is any field that the router has no opinion on. At most 31: sets are 32-bit masks. */
export const Field = {
  other: 0,
  host: 1,
  connection: 2,
  contentLength: 3,
  transferEncoding: 4,
  expect: 5,
  upgrade: 6,
  keepAlive: 7,
  te: 8,
  trailer: 9,
  proxyConnection: 10,
  proxyAuthenticate: 11,
  proxyAuthorization: 12,
  http2Settings: 13,
  via: 14,
  xForwardedFor: 15,
  xForwardedHost: 16,
  xForwardedProto: 17,
  xRequestId: 18,
  xRoutingKey: 19,
  xRoutedTo: 20,
  xRouteReason: 21,
  xFailoverFrom: 22,
  xFailoverReason: 23,
  xRetryCount: 24,
  setCookie: 25,
  date: 26,
  maxForwards: 27,
  /** No name of its own: one of `vouchedFor`, with an underscore in the place of a hyphen. */
  lookAlike: 28,
} as const;

export type FieldId = (typeof Field)[keyof typeof Field];

/** How many ids there are. */
export const fieldIdCount = 29;

/**
 * What the router tells cells, and they believe. CGI, WSGI and their kin write `_` for `-` in every name, so that a client's
 * `X_Routing_Key` would look like the router's own field to them.
 */
const vouchedFor: ReadonlySet<FieldId> = new Set([
  Field.xForwardedFor,
  Field.xForwardedHost,
  Field.xForwardedProto,
  Field.xRequestId,
  Field.xRoutingKey,
  Field.xRoutedTo,
  Field.xRouteReason,
]);

/** `contentLength` → `content-length`, `http2Settings` → `http2-settings`. */
function wireName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

interface KnownName {
  readonly id: FieldId;
  /** What the name means with underscores. */
  readonly alikeId: FieldId;
  readonly name: string;
  readonly bytes: Uint8Array;
}

const hyphen = 0x2d;
const underscore = 0x5f | 0x20;

const byLength: KnownName[][] = Array.from({ length: 32 }, () => []);
const byName = new Map<string, FieldId>();
for (const [key, id] of Object.entries(Field) as [string, FieldId][]) {
  if (id === Field.other || id === Field.lookAlike) continue;
  const name = wireName(key);
  const alikeId = vouchedFor.has(id) ? Field.lookAlike : Field.other;
  byLength[name.length]?.push({ id, alikeId, name, bytes: new Uint8Array(Buffer.from(name, "latin1")) });
  byName.set(name, id);
}

/** The id of a lower-case name. */
export function fieldIdOf(lowerName: string): FieldId {
  return byName.get(lowerName) ?? Field.other;
}

/** The set of these fields as a bit mask. */
export function maskOf(...ids: readonly FieldId[]): number {
  return ids.reduce<number>((mask, id) => mask | (1 << id), 0);
}

/**
 * The id of the field name in `bytes[from, to)`, which must be a valid token.
 *
 * Length first, then bytes with the letter-case bit set. Among token bytes that turns nothing but an upper-case
 * letter into a letter, and nothing at all into `-` or a digit, so no foreign name can pass for a known one. It turns `_`
 * into a byte that is no token's.
 */
export function classifyName(bytes: Uint8Array, from: number, to: number): FieldId {
  const length = to - from;
  if (length >= 32) return Field.other;
  const candidates = byLength[length] as KnownName[];
  for (let c = 0; c < candidates.length; c++) {
    const candidate = candidates[c] as KnownName;
    const name = candidate.bytes;
    let isAlike = false;
    let i = 0;
    for (; i < length; i++) {
      const byte = (bytes[from + i] as number) | 0x20;
      if (byte === name[i]) continue;
      if (byte !== underscore || name[i] !== hyphen) break;
      isAlike = true;
    }
    if (i === length) return isAlike ? candidate.alikeId : candidate.id;
  }
  return Field.other;
}
