// What can go wrong between the router and a cell, and whose fault it is that no connection came about.

export type UpstreamFailure =
  | "upstream-unreachable"
  | "router-exhausted"
  | "upstream-broken"
  | "connect-timeout"
  | "head-timeout"
  | "body-timeout";

/** No descriptor, port or memory is left for a connection: this router's own fault, and not the cell's. */
const exhausted: ReadonlySet<string> = new Set([
  "EMFILE",
  "ENFILE",
  "ENOBUFS",
  "ENOMEM",
  "EADDRNOTAVAIL",
  "EAGAIN",
]);

/** @param cause The system's code for why there is no connection. */
export function connectFailure(cause: string): UpstreamFailure {
  if (cause === "ETIMEDOUT") return "connect-timeout";
  return exhausted.has(cause) ? "router-exhausted" : "upstream-unreachable";
}
