// Where a cell's URL leads, whichever engine connects.

/**
 * The system connects these to this machine. HAProxy connects them to the address that the client has come to, which may be
 * another tenant's cell.
 */
const ownHosts: ReadonlyMap<string, string> = new Map([
  ["0.0.0.0", "127.0.0.1"],
  ["::", "::1"],
]);

/** Host and port of a cell's URL; an IPv6 address has no brackets. */
export function addressOf(url: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(url);
  const host = withoutMapping(hostname.replace(/^\[|\]$/g, ""));
  return { host: ownHosts.get(host) ?? host, port: port === "" ? 80 : Number(port) };
}

/**
 * An IPv4 address in the spelling of IPv6 is dialled as IPv4, and engines show it in digits of their own.
 * @see https://www.rfc-editor.org/rfc/rfc4291#section-2.5.5.2
 */
function withoutMapping(host: string): string {
  const [, high, low] = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(host) ?? [];
  if (high === undefined || low === undefined) return host;
  const bytes = Buffer.from(high.padStart(4, "0") + low.padStart(4, "0"), "hex");
  return bytes.join(".");
}
