// Holds every answer to the invariants. Pure: what was asked, what came, which tables were allowed and which cells were
// disturbed meanwhile go in; the violations come out.

import type { CellName } from "./schedule.ts";
import { originOf, type Table } from "./tables.ts";

export interface Asked {
  readonly key: string;
  readonly method: string;
  readonly path: string;
  /** Sent as the request id, and must come back with what the cell saw. */
  readonly nonce: string;
  readonly bodySha256: string;
  /** Digest of the body that a whole answer has; undefined where the cell's JSON is what is looked at. */
  readonly expectedSha256?: string | undefined;
}

/** How the exchange ended for the client. */
export type Ending = "complete" | "cut" | "no-answer" | "timeout";

export interface Got {
  readonly ending: Ending;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly bodySha256: string;
  /** The cell's account of the request, where the answer is one. */
  readonly echo?: Echo | undefined;
}

export interface Echo {
  readonly cell: string;
  readonly method: string;
  readonly path: string;
  readonly bodySha256: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Circumstances {
  /** Every table that a router may have used for this request. */
  readonly tables: readonly Table[];
  /** Whether a cell was disturbed at any moment of the request, or shortly before. */
  readonly isDisturbed: (cell: CellName) => boolean;
}

export type Outcome = "served" | "stand-in" | "refused" | "failed" | "cut" | "no-answer";

export interface Verdict {
  readonly outcome: Outcome;
  /** Each begins with the number of the invariant that it breaks. */
  readonly violations: readonly string[];
}

const failoverReasons = new Set(["unhealthy", "circuit-open", "connect-failed"]);

export function judge(asked: Asked, got: Got, { tables, isDisturbed }: Circumstances): Verdict {
  const violations: string[] = [];
  const fitting = tables.filter((table) => fits(table, asked, got));
  const seen = `X-Routed-To ${got.headers["x-routed-to"]}, X-Failover-From ${got.headers["x-failover-from"]}, cell ${got.echo?.cell ?? got.headers["x-cell"]}`;
  if (got.status > 0 && fitting.length === 0)
    violations.push(`2 or 5 one table, its explicit chain: no table in use explains this answer (${seen})`);
  violations.push(...isolationFaults(asked, got), ...truthFaults(asked, got));
  const outcome = outcomeOf(got);
  if (outcome !== "served" && outcome !== "stand-in") {
    // A failure needs a cause: a cell that the request was, or could have been, meant for.
    const explained = tables.some((table) => cellsOf(table, asked.key).some(isDisturbed));
    if (!explained)
      violations.push(
        `1 or 3: ${outcome} (${got.status || got.ending}) while every cell of its chain was well`,
      );
  }
  if (got.ending === "timeout") violations.push("7 truthful endings: no end within 20 s");
  return { outcome, violations };
}

function outcomeOf({ ending, status, headers }: Got): Outcome {
  if (ending === "no-answer" || ending === "timeout") return "no-answer";
  if (ending === "cut") return "cut";
  if (status === 503 && headers["retry-after"] !== undefined) return "refused";
  if (status !== 200) return "failed";
  return headers["x-failover-from"] === undefined ? "served" : "stand-in";
}

/** Whether one table alone explains who served: the placement that was routed to, or one of its chain, at its own cell. */
function fits(table: Table, { key }: Asked, { headers, echo }: Got): boolean {
  const { "x-routed-to": to = "", "x-failover-from": from, "x-failover-reason": reason } = headers;
  const origin = originOf(table, key);
  const serving = table.placements.get(to);
  if (serving === undefined) return false;
  const isStandIn = from !== undefined;
  if (isStandIn !== (reason !== undefined)) return false;
  if (isStandIn && (from !== origin || !failoverReasons.has(reason ?? ""))) return false;
  if (isStandIn ? !table.placements.get(origin)?.chain.includes(to) : to !== origin) return false;
  const cell = echo?.cell ?? headers["x-cell"];
  return cell === undefined || cell === serving.cell;
}

/** The cells that a request for `key` may reach by `table`. */
function cellsOf(table: Table, key: string): CellName[] {
  const origin = originOf(table, key);
  const names = [origin, ...(table.placements.get(origin)?.chain ?? [])];
  return names.flatMap((name) => table.placements.get(name)?.cell ?? []);
}

/** The tenant's own cell serves nobody else, and nobody else's cell serves the tenant. */
function isolationFaults({ key }: Asked, { headers, echo }: Got): string[] {
  const cell = echo?.cell ?? headers["x-cell"];
  const to = headers["x-routed-to"];
  if (cell === undefined && to === undefined) return [];
  const isOwn = (name: string | undefined) => name === undefined || (name === "visa") === (key === "visa");
  return isOwn(cell) && isOwn(to) ? [] : [`5 isolation: ${key} met ${to}, cell ${cell}`];
}

/** A whole answer is the whole answer to this very request. */
function truthFaults(asked: Asked, got: Got): string[] {
  const faults: string[] = [];
  const { ending, status, headers, echo } = got;
  if (status > 0 && headers["x-request-id"] !== asked.nonce)
    faults.push(`7 truthful endings: the answer to another request (${headers["x-request-id"]})`);
  if (ending !== "complete" || status !== 200) return faults;
  if (asked.expectedSha256 !== undefined && got.bodySha256 !== asked.expectedSha256)
    faults.push("7 truthful endings: an answer that looks whole has another body");
  if (echo !== undefined) {
    if (echo.headers["x-request-id"] !== asked.nonce || echo.headers["x-routing-key"] !== asked.key)
      faults.push("7 truthful endings: the cell saw another request's fields");
    if (echo.method !== asked.method || echo.path !== asked.path || echo.bodySha256 !== asked.bodySha256)
      faults.push("7 truthful endings: the cell saw another request");
  }
  return faults;
}
