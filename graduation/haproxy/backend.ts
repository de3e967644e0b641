// The backend of one placement: its own cell, then the fallbacks that the table names, and nobody else. HAProxy chooses by
// `balance first`: the first server that is up, in the order in which they stand here.

import type { ErrorCode } from "../../stages/m4/src/errors.ts";
import type { FailoverReason } from "../../stages/m4/src/failover.ts";
import type { Placement, RoutingTable } from "../../stages/m4/src/routing-table.ts";
import { addressOf } from "../address.ts";
import { backendName, cellServer, chainOf, fallbackServer } from "./names.ts";
import { quoted, refuse } from "./pages.ts";
import { hasBody } from "./validation.ts";

/** Without health settings a cell is checked by connecting, and only after it has been ejected. In milliseconds. */
const hardlyEverMs = 3_600_000;

export function backend(table: RoutingTable, placement: Placement): readonly string[] {
  const chain = chainOf(table, placement);
  const names = [cellServer, ...chain.map(({ name }, index) => fallbackServer(index + 1, name))];
  const servers = names.map((name) => `${backendName(placement.name)}/${name}`);
  return [
    `backend ${backendName(placement.name)}`,
    "balance first",
    ...checkRules(placement),
    ...retryRules(placement, chain.length),
    // A client may pause in its upload, and the cell is silent meanwhile.
    `http-request set-timeout server 75s if ${hasBody}`,
    `http-request set-var(txn.up) srv_is_up(${servers[0]})`,
    // Not `nbsrv eq 0`: in a worker that is being replaced it is 0 for everybody. One line for each server: HAProxy takes at
    // most 64 words in one.
    ...servers.map((server) => `http-request set-var(txn.any) str(1) if { srv_is_up(${server}) }`),
    refuse(refusalCode(placement), "!{ var(txn.any) -m found }", {
      retryAfter: retryAfterSeconds(placement),
    }),
    ...chain.flatMap(({ name }, index) => servedByFallback(placement, fallbackServer(index + 1, name), name)),
    `server ${cellServer} ${address(placement)}${checkWords(placement)}`,
    ...chain.map((fallback, index) => fallbackLine(index + 1, fallback)),
  ];
}

/** HAProxy only says that a server is down, not why: with health checks that is the likelier cause. */
function refusalCode({ health, circuitBreaker }: Placement): ErrorCode & FailoverReason {
  return health === undefined && circuitBreaker !== undefined ? "circuit-open" : "unhealthy";
}

function retryAfterSeconds({ health, circuitBreaker }: Placement): number {
  const ms = health?.intervalMs ?? circuitBreaker?.waitMs ?? 1000;
  return Math.max(1, Math.ceil(ms / 1000));
}

function checkRules({ health }: Placement): readonly string[] {
  if (health === undefined) return [];
  return [
    "option httpchk",
    `http-check send meth GET uri ${quoted(health.path)} ver HTTP/1.1 hdr Host cell hdr Connection close`,
    "http-check expect status 200-299",
    `timeout check ${ms(health.timeoutMs)}`,
  ];
}

/**
 * Whether a cell is checked decides whether HAProxy can eject it, too: `observe` needs `check`. Without health settings the
 * check is a connection, made when an ejected cell has waited `waitMs`.
 */
function checkWords({ health, circuitBreaker }: Placement): string {
  let words = "";
  if (health !== undefined)
    words += ` check inter ${ms(health.intervalMs)} rise ${health.rise} fall ${health.fall}`;
  else if (circuitBreaker !== undefined) {
    const waitMs = ms(circuitBreaker.waitMs);
    words += ` check inter ${hardlyEverMs} fastinter ${waitMs} downinter ${waitMs} rise 1 fall 3`;
  }
  if (circuitBreaker !== undefined)
    words += ` observe layer7 error-limit ${circuitBreaker.consecutiveFailures} on-error mark-down`;
  return words;
}

/** Follows the checks of the fallback's own cell, and holds that one's concurrency limit for what spills over. */
function fallbackLine(position: number, fallback: Placement): string {
  const isChecked = fallback.health !== undefined || fallback.circuitBreaker !== undefined;
  const track = isChecked ? ` track ${backendName(fallback.name)}/${cellServer}` : "";
  const { name, concurrencyLimit } = fallback;
  const places = concurrencyLimit === undefined ? "" : ` maxconn ${concurrencyLimit}`;
  return `server ${fallbackServer(position, name)} ${address(fallback)}${track}${places}`;
}

/**
 * A connection that failed is tried at the next of the chain, at once: nothing had been sent. Any other failure only
 * where the table asks for retries, and only for a request that may be repeated. Without a chain, that request is also
 * repeated once where a kept connection breaks under it: HAProxy cannot tell this from a new one that breaks.
 */
function retryRules({ retries }: Placement, fallbacks: number): readonly string[] {
  const isRepeated = retries !== undefined && retries.maxRetries > 0;
  const onlyOnce = fallbacks === 0 ? 1 : 0;
  const most = isRepeated ? Math.max(retries.maxRetries, fallbacks) : Math.max(onlyOnce, fallbacks);
  const lines = [`retries ${most}`, `option redispatch ${fallbacks > 0 ? 1 : 0}`];
  if (!isRepeated && fallbacks > 0) return [...lines, "retry-on conn-failure"];
  const failures = isRepeated
    ? "conn-failure empty-response junk-response response-timeout 502 503 504"
    : "empty-response";
  return [
    ...lines,
    `retry-on ${failures}`,
    "http-request disable-l7-retry unless { method GET HEAD OPTIONS PUT DELETE }",
    `http-request disable-l7-retry if ${hasBody}`,
    ...(isRepeated ? ["http-response set-var-fmt(txn.retries) %rc"] : []),
  ];
}

/** `retried` is a reason of this engine: HAProxy does not tell a refused connection from a failed attempt. */
function servedByFallback(placement: Placement, server: string, name: string): readonly string[] {
  const isServer = `{ srv_name -m str ${server} }`;
  const connectFailed = placement.retries === undefined ? "connect-failed" : "retried";
  return [
    `http-response set-var(txn.served) str(${name}) if ${isServer}`,
    `http-response set-var(txn.failover) str(${connectFailed}) if ${isServer} { var(txn.up) -m bool }`,
    `http-response set-var(txn.failover) str(${refusalCode(placement)}) if ${isServer} !{ var(txn.up) -m bool }`,
  ];
}

function address({ url }: Placement): string {
  const { host, port } = addressOf(url);
  if (host.includes(":")) return `ipv6@[${host}]:${port}`;
  // A name that DNS does not know yet must not keep HAProxy from starting.
  const isName = !/^\d+\.\d+\.\d+\.\d+$/.test(host);
  return isName ? `${host}:${port} init-addr last,libc,none` : `${host}:${port}`;
}

/** HAProxy's times are whole milliseconds, and 0 is none. */
function ms(value: number): number {
  return Math.max(1, Math.round(value));
}
