// What a gameday keeps: which cells were disturbed when, which tables each router may use, and how requests ended.

import type { Outcome, Verdict } from "../load/judge.ts";
import type { CellName, Table } from "../load/tables.ts";
import { count, Tally } from "../load/tally.ts";
import type { Planned } from "./schedule.ts";

/** How long after a disturbance its traces may be seen: an unhealthy cell's two good probes, an open circuit's wait. */
export const recoveryMs = 5_000;

export interface Window {
  readonly planned: Planned;
  readonly fromMs: number;
  toMs: number;
  readonly outcomes: Map<Outcome, number>;
}

export class GamedayRecord extends Tally {
  readonly windows: Window[] = [];
  /** Requests that were served while the control plane was down. */
  withoutControlPlane = 0;
  /** Tables that each router may be using, by its URL. */
  readonly #tables = new Map<string, readonly Table[]>();

  open(planned: Planned, nowMs: number): Window {
    const window: Window = { planned, fromMs: nowMs, toMs: Number.POSITIVE_INFINITY, outcomes: new Map() };
    this.windows.push(window);
    return window;
  }

  tablesOf(router: string): readonly Table[] {
    return this.#tables.get(router) ?? [];
  }

  /** From now on a router may use `table` as well. */
  offered(router: string, table: Table): void {
    this.#tables.set(router, [...this.tablesOf(router), table]);
  }

  /** The router says that it uses `table`: the ones before it are over. */
  confirmed(router: string, version: string): void {
    const tables = this.tablesOf(router);
    const at = tables.findLastIndex((table) => table.version === version);
    if (at > 0) this.#tables.set(router, tables.slice(at));
  }

  isDisturbed(cell: CellName, fromMs: number, toMs: number): boolean {
    return this.windows.some(
      (window) =>
        "cells" in window.planned &&
        window.planned.cells.includes(cell) &&
        window.fromMs <= toMs &&
        fromMs <= window.toMs + recoveryMs,
    );
  }

  override ended(verdict: Verdict, what: string, fromMs = 0, toMs = 0): void {
    super.ended(verdict, what);
    const { outcome } = verdict;
    for (const window of this.windows) {
      if (window.fromMs > toMs || fromMs > window.toMs) continue;
      count(window.outcomes, outcome);
      if (window.planned.kind === "control-plane-killed" && outcome !== "no-response")
        this.withoutControlPlane += 1;
    }
  }
}
