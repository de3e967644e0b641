// Where an endpoint's URL leads: two spellings of one address are one cell, and a dedicated cell belongs to one tenant.
// Pure text, without Node's API. A name that only DNS can resolve is compared as text.

/**
 * What a connection to `origin` dials, as `host:port`. Equal results mean one endpoint.
 *
 * `URL` already turns `127.1`, `0x7f000001`, upper case and the default port into one spelling. What is left is what
 * the operating system does: it dials loopback for `localhost`, `0.0.0.0` and `[::]`. Loopback's IPv4 and IPv6
 * addresses count as one, because a server that listens on "all addresses" answers on both.
 */
export function dialledAt(origin: string): string {
  const { hostname, port } = new URL(origin);
  return `${dialledHost(hostname)}:${port === "" ? "80" : port}`;
}

const loopback = ["127.0.0.1", "0.0.0.0", "[::1]", "[::]"];

function dialledHost(hostname: string): string {
  // The root's dot: `cell.example.` is `cell.example`.
  const name = hostname.replace(/\.$/, "");
  const [, high, low] = /^\[::ffff:([0-9a-f]+):([0-9a-f]+)\]$/.exec(name) ?? [];
  // An IPv4 address written as an IPv6 one: https://www.rfc-editor.org/rfc/rfc4291#section-2.5.5.2
  if (high !== undefined && low !== undefined) return dialledHost(`${ipv4Half(high)}.${ipv4Half(low)}`);
  // https://www.rfc-editor.org/rfc/rfc6761#section-6.3
  const isLoopback = loopback.includes(name) || /^(?:.+\.)?localhost$/.test(name);
  return isLoopback ? "loopback" : name;
}

/** Two bytes in hex as two numbers with a dot: `7f00` is `127.0`. */
function ipv4Half(hex: string): string {
  const bytes = Number.parseInt(hex, 16);
  return `${bytes >> 8}.${bytes & 0xff}`;
}
