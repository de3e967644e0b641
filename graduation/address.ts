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
  const host = hostname.replace(/^\[|\]$/g, "");
  return { host: ownHosts.get(host) ?? host, port: port === "" ? 80 : Number(port) };
}
