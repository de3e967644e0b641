// The clean clients of a run: steady ones on every tenant, held to the whole of what they asked for. On a clean cell nothing
// may go wrong; on a hostile one a failure must be visible.

import { runClient } from "../load/clients.ts";
import type { Table } from "../load/tables.ts";
import { Tally } from "../load/tally.ts";
import type { Fault } from "./faults.ts";
import { cleanKeys, hostileCells } from "./table.ts";
import { cleanIdOf } from "./tags.ts";
import type { Witness } from "./witness.ts";

export interface CleanLoadOptions {
  readonly router: string;
  readonly table: Table;
  readonly seed: number;
  readonly witness: Witness;
  /** What the end of the router itself breaks is told once, and not by every client. */
  readonly hasEnded: () => boolean;
  readonly violated: (fault: Fault) => void;
}

/** A body that stands still is given 30 s by the router; a request may meet that on one cell, and wait for another's head. */
const timeoutMs = 45_000;

export class CleanLoad {
  readonly tally = new Tally();
  readonly #options: CleanLoadOptions;
  readonly #over = new AbortController();
  #clients: Promise<void>[] = [];

  constructor(options: CleanLoadOptions) {
    this.#options = options;
  }

  start(clients: number): void {
    const { router, table, seed } = this.#options;
    this.#clients = Array.from({ length: clients }, (_, number) =>
      runClient(
        {
          router,
          seed,
          number,
          keys: cleanKeys,
          idOf: (n) => cleanIdOf(seed, number, n),
          timeoutMs,
          look: () => () => ({ tables: [table], isDisturbed: (cell) => hostileCells.has(cell) }),
          onEnd: (verdict, what, _fromMs, _toMs, { id, status }) => {
            const deed = this.#options.witness.cleanEnded(id);
            if (this.#options.hasEnded()) return;
            this.tally.ended(verdict, what);
            // Details of a violation stand in brackets.
            const broken = verdict.violations.map(
              (each) => `clean client: ${each.replaceAll(/ \([^)]*\)/g, "")}`,
            );
            if (status === 500) broken.push("8 survival: the router responds 500: an exception of its own");
            for (const rule of broken)
              this.#options.violated({ rule, detail: `${what}; the cell: ${deed}`, connection: undefined });
          },
        },
        this.#over.signal,
      ),
    );
  }

  /** Every client ends once the request under way has. */
  async stop(): Promise<void> {
    this.#over.abort();
    await Promise.all(this.#clients);
  }
}
