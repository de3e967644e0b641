// Keeps one nginx in step with a table store: each new table is a reload, one after the other, and those that were overtaken
// are left out. What fails for a reason of the moment is tried again.

import { systemClock } from "../../stages/m4/src/clock.ts";
import type { RoutingTable } from "../../stages/m4/src/routing-table.ts";
import type { TableStore } from "../../stages/m4/src/table-store.ts";
import { NginxProcess, type NginxProcessOptions, RefusedConfigurationError } from "./nginx-process.ts";
import { UnsupportedTableError } from "./upstreams.ts";

/** Before a table is tried again whose reload failed for a reason of the moment, such as a full disk. */
const retryMs = 1_000;

export class TableFollower {
  readonly nginx: NginxProcess;
  readonly #unsubscribe: () => void;
  #version: string;
  #next: RoutingTable | undefined;
  #applying: Promise<void> | undefined;
  readonly #closing = new AbortController();
  #lastError: { readonly at: string; readonly faults: readonly string[] } | null = null;

  private constructor(store: TableStore, nginx: NginxProcess, table: RoutingTable) {
    this.nginx = nginx;
    this.#version = table.version;
    this.#unsubscribe = store.subscribe(({ table: next }) => {
      this.#next = next;
      this.#applying ??= this.#applyAll();
    });
  }

  /** @throws Error when the store holds no table, or nginx does not take it */
  static async start(store: TableStore, options: NginxProcessOptions): Promise<TableFollower> {
    const table = store.current()?.table;
    if (table === undefined) throw new Error("Apply a table to the store before nginx is started");
    return new TableFollower(store, await NginxProcess.start(table, options), table);
  }

  /** Of the table that nginx serves. */
  get version(): string {
    return this.#version;
  }

  /** Why the newest table is not served; null when it is. */
  get lastError() {
    return this.#lastError;
  }

  async close(): Promise<void> {
    this.#unsubscribe();
    this.#closing.abort();
    this.#next = undefined;
    await this.#applying;
    await this.nginx.stop();
  }

  async #applyAll(): Promise<void> {
    for (let table = this.#take(); table !== undefined; table = this.#take()) {
      try {
        await this.nginx.apply(table);
        this.#version = table.version;
        this.#lastError = null;
      } catch (error) {
        const words = error instanceof Error ? error.message : String(error);
        this.#lastError = { at: new Date().toISOString(), faults: [words] };
        const isRefused =
          error instanceof RefusedConfigurationError || error instanceof UnsupportedTableError;
        if (isRefused) continue;
        await systemClock.sleep(retryMs, this.#closing.signal).catch(() => {});
        if (!this.#closing.signal.aborted) this.#next ??= table;
      }
    }
    this.#applying = undefined;
  }

  #take(): RoutingTable | undefined {
    const table = this.#next;
    this.#next = undefined;
    return table;
  }
}
