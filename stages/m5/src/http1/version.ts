// The version of a message: HTTP/1.1 or HTTP/1.0, of which only the last digit matters.

/** `1.0` as 0, `1.1` as 1. */
export type MinorVersion = 0 | 1;

/** The minor version of `HTTP/1.x` at `at`, or undefined. Names are case-sensitive here. */
export function minorVersionAt(bytes: Uint8Array, at: number): MinorVersion | undefined {
  const isHttp1 =
    bytes[at] === 0x48 && // H
    bytes[at + 1] === 0x54 && // T
    bytes[at + 2] === 0x54 && // T
    bytes[at + 3] === 0x50 && // P
    bytes[at + 4] === 0x2f && // /
    bytes[at + 5] === 0x31 && // 1
    bytes[at + 6] === 0x2e; // .
  if (!isHttp1) return undefined;
  if (bytes[at + 7] === 0x31) return 1;
  return bytes[at + 7] === 0x30 ? 0 : undefined;
}
