// Holds every response to the invariants. Pure: what was asked, what came, which tables were allowed and which cells were
// disturbed meanwhile go in; the violations come out. Gameday and chaos share it.

import { type CellName, cellsOf, originOf, type Table } from "./tables.ts";

export interface Asked {
  readonly key: string;
  readonly method: string;
  readonly path: string;
  /** Sent as the request id, and must come back with what the cell saw. */
  readonly nonce: string;
  readonly bodySha256: string;
  /** Digest of the body that a whole response has; undefined where the cell's JSON is what is looked at. */
  readonly expectedSha256?: string | undefined;
}

/** How the exchange ended for the client. */
export type Ending = "complete" | "cut" | "no-response" | "timeout";

export interface Got {
  readonly ending: Ending;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly bodySha256: string;
  readonly bodyBytes?: number;
  /** Why there was no response, such as `ECONNRESET`. */
  readonly cause?: string | undefined;
  /** The cell's account of the request, where the response is one. */
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
  /** Reasons of a failover that only this router's engine gives. */
  readonly engineReasons?: readonly string[];
}

/** How a request ended, and what each of the words means. */
export const outcomeWords = {
  served: "a whole response from the placement that the table names",
  fallback: "a whole response from a fallback, which says so (X-Failover-From)",
  refused: "503 with Retry-After: the router protected a cell or had no fallback",
  failed: "another error status: the cell or the connection to it failed",
  cut: "a response that visibly broke off",
  "no-response": "a connection that ended, or stayed silent, without a response",
} as const;

export type Outcome = keyof typeof outcomeWords;

/** What is checked of each response. A violation begins with the number of the invariant that it breaks. */
export const checkedInvariants: Readonly<Record<string, string>> = {
  "1 or 3":
    "a request fails only while a cell that may serve it is disturbed: no control plane, file or other cell makes it fail",
  "2 or 5":
    "one table explains who served: the placement that it names, or an announced fallback of its chain",
  "5": "a dedicated cell serves its own tenant and nobody else",
  "7": "a response that looks whole is whole, and is the one to this very request; a cut is visible",
};

export interface Verdict {
  readonly outcome: Outcome;
  /** Each begins with the number of the invariant that it breaks. */
  readonly violations: readonly string[];
}

const failoverReasons = new Set(["unhealthy", "circuit-open", "connect-failed"]);

export function judge(asked: Asked, got: Got, circumstances: Circumstances): Verdict {
  const { tables, isDisturbed, engineReasons = [] } = circumstances;
  const violations: string[] = [];
  const fitting = tables.filter((table) => fits(table, asked, got, engineReasons));
  const seen = `X-Routed-To ${got.headers["x-routed-to"]}, X-Failover-From ${got.headers["x-failover-from"]}, cell ${got.echo?.cell ?? got.headers["x-cell"]}`;
  if (got.status > 0 && fitting.length === 0)
    violations.push(`2 or 5 one table, its explicit chain: no table in use explains this response (${seen})`);
  violations.push(...isolationFaults(asked, got), ...truthFaults(asked, got));
  const outcome = outcomeOf(got);
  if (outcome !== "served" && outcome !== "fallback") {
    // A failure needs a cause: a cell that the request was, or could have been, meant for.
    const explained = tables.some((table) => cellsOf(table, asked.key).some(isDisturbed));
    if (!explained)
      violations.push(
        `1 or 3: ${outcome} (${got.status || got.ending}) while every cell of its chain was well`,
      );
  }
  if (got.ending === "timeout") violations.push("7 truthful endings: no end within the client's time limit");
  return { outcome, violations };
}

function outcomeOf({ ending, status, headers }: Got): Outcome {
  if (ending === "no-response" || ending === "timeout") return "no-response";
  if (ending === "cut") return "cut";
  if (status === 503 && headers["retry-after"] !== undefined) return "refused";
  if (status !== 200) return "failed";
  return headers["x-failover-from"] === undefined ? "served" : "fallback";
}

/** Whether one table alone explains who served: the placement that was routed to, or one of its chain, at its own cell. */
function fits(
  table: Table,
  { key }: Asked,
  { headers, echo }: Got,
  engineReasons: readonly string[],
): boolean {
  const { "x-routed-to": to = "", "x-failover-from": from, "x-failover-reason": reason } = headers;
  const origin = originOf(table, key);
  const serving = table.placements.get(to);
  if (serving === undefined) return false;
  const isFallback = from !== undefined;
  if (isFallback !== (reason !== undefined)) return false;
  const isKnown = failoverReasons.has(reason ?? "") || engineReasons.includes(reason ?? "");
  if (isFallback && (from !== origin || !isKnown)) return false;
  if (isFallback ? !table.placements.get(origin)?.chain.includes(to) : to !== origin) return false;
  const cell = echo?.cell ?? headers["x-cell"];
  return cell === undefined || cell === serving.cell;
}

/** The tenant's own cell serves nobody else, and nobody else's cell serves the tenant. */
function isolationFaults({ key }: Asked, { headers, echo }: Got): string[] {
  const cell = echo?.cell ?? headers["x-cell"];
  const to = headers["x-routed-to"];
  if (cell === undefined && to === undefined) return [];
  const isOwn = (name: string | undefined) => name === undefined || (name === "visa") === (key === "visa");
  return isOwn(cell) && isOwn(to) ? [] : [`5 isolation: ${key} met ${to}, cell ${cell}`];
}

/** A whole response is the whole response to this very request. */
function truthFaults(asked: Asked, got: Got): string[] {
  const faults: string[] = [];
  const { ending, status, headers, echo } = got;
  if (status > 0 && headers["x-request-id"] !== asked.nonce)
    faults.push(`7 truthful endings: the response to another request (${headers["x-request-id"]})`);
  if (ending !== "complete" || status !== 200) return faults;
  if (asked.expectedSha256 !== undefined && got.bodySha256 !== asked.expectedSha256)
    faults.push("7 truthful endings: a response that looks whole has another body");
  if (echo !== undefined) {
    if (echo.headers["x-request-id"] !== asked.nonce || echo.headers["x-routing-key"] !== asked.key)
      faults.push("7 truthful endings: the cell saw another request's fields");
    if (echo.method !== asked.method || echo.path !== asked.path || echo.bodySha256 !== asked.bodySha256)
      faults.push("7 truthful endings: the cell saw another request");
  }
  return faults;
}
