// Opens what the m2 cases share: cells, a router that follows a file, and the words of the cases: write the file, wait
// until the router uses it, ask who serves.

import { readdir, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll } from "vitest";
import { type Cell, startCell } from "../../cells/cell.ts";
import { placementNames } from "../../testkit/cluster.ts";
import { eventually } from "../../testkit/eventually.ts";
import type { RawResponse } from "../../testkit/http-message.ts";
import { sendRaw } from "../../testkit/raw-client.ts";
import { askAdmin } from "../admin-request.ts";
import { type RequestParts, requestBytes } from "../messages.ts";
import { stopAtRouterEnd } from "../router-end.ts";
import { type Table, tableOver } from "./tables.ts";
import type { FollowingRouter, ReloadTarget } from "./target.ts";

/** Cells that take a placement's place in later tables. */
const spareCells = ["blue", "green"] as const;

/** What the admin port says about the table in use; a router may say more. */
export interface DebugConfig {
  readonly source: string;
  readonly version: string;
  readonly checksum: string;
  readonly appliedAt: string;
  readonly lastError: { readonly at: string; readonly faults: readonly string[] } | null;
}

export class ReloadContract {
  readonly target: ReloadTarget;
  readonly #cells = new Map<string, Cell>();
  #router: FollowingRouter | undefined;
  #nextVersion = 1;

  constructor(target: ReloadTarget) {
    this.target = target;
  }

  async open(): Promise<void> {
    for (const name of placementNames) {
      this.#cells.set(name, await startCell({ name, port: this.target.ports?.[name] ?? 0 }));
    }
    for (const name of spareCells) this.#cells.set(name, await startCell({ name }));
    this.#router = await this.target.start(this.text(this.table()));
  }

  async close(): Promise<void> {
    await this.#router?.close();
    await Promise.all([...this.#cells.values()].map((cell) => cell.close()));
  }

  /** The router, once it has been started. */
  running(): FollowingRouter[] {
    return this.#router === undefined ? [] : [this.#router];
  }

  get router(): FollowingRouter {
    if (this.#router === undefined) throw new Error("The router has not been started");
    return this.#router;
  }

  get file(): string {
    return this.router.routingFile;
  }

  cell(name: string): Cell {
    const cell = this.#cells.get(name);
    if (cell === undefined) throw new Error(`There is no cell "${name}"`);
    return cell;
  }

  /** The contract's table over the suite's cells, with a version that no other table of this run has. */
  table(changes: (table: Table) => void = () => {}): Table {
    const table = tableOver((name) => this.cell(name).url, `v${this.#nextVersion++}`);
    changes(table);
    return table;
  }

  text(table: Table): string {
    return `${JSON.stringify(table, null, 2)}\n`;
  }

  /** Writes the file in place, as `echo >` does. */
  async write(content: Table | string): Promise<void> {
    await writeFile(this.file, typeof content === "string" ? content : this.text(content));
  }

  /** Writes the file and waits until the router uses it. */
  async apply(table: Table): Promise<DebugConfig> {
    await this.write(table);
    return await this.uses(table);
  }

  async config(): Promise<DebugConfig> {
    const response = await this.admin("/debug/config");
    if (response.status !== 200) throw new Error(`/debug/config answered ${response.status}`);
    return response.json() as unknown as DebugConfig;
  }

  /** Waits until the router says that it uses `table`, without complaint. */
  uses(table: Table): Promise<DebugConfig> {
    return this.#configWhere(
      `the router uses version "${table.version}"`,
      ({ version, lastError }) => version === table.version && lastError === null,
    );
  }

  /** Waits until the router complains with a fault that `pattern` fits. */
  complains(pattern = /./): Promise<DebugConfig> {
    return this.#configWhere(
      `the router complains of ${pattern}`,
      ({ lastError }) => lastError?.faults.some((fault) => pattern.test(fault)) ?? false,
    );
  }

  #configWhere(what: string, predicate: (config: DebugConfig) => boolean): Promise<DebugConfig> {
    const fitting = async () => {
      const config = await this.config();
      return predicate(config) ? config : undefined;
    };
    return eventually(fitting, { what, deadlineMs: 10_000 });
  }

  /** One request to the admin port. */
  admin(path: string, parts: Pick<RequestParts, "method" | "fields"> = {}): Promise<RawResponse> {
    return askAdmin(this.router.adminUrl, path, parts);
  }

  /** One request to the data port. */
  ask(key: string, parts: RequestParts = {}): Promise<RawResponse> {
    return sendRaw(this.router.url, requestBytes({ ...parts, key, fields: ["Connection: close"] }));
  }

  /** Who serves `key` now, as `placement by cell because reason`. */
  async served(key: string): Promise<string> {
    const { status, headers } = await this.ask(key);
    const [placement, cell, reason] = ["x-routed-to", "x-cell", "x-route-reason"].map((name) =>
      headers.one(name),
    );
    return status === 200 ? `${placement} by ${cell} because ${reason}` : `status ${status}`;
  }

  /** Brings the file back to a plain one with a good table. */
  async restore(): Promise<void> {
    if (this.router.howItEnded?.() !== undefined) return;
    const directory = dirname(this.file);
    await rm(this.file, { recursive: true, force: true });
    for (const name of await readdir(directory)) {
      if (name.startsWith("..") || name.startsWith(`${basename(this.file)}.`)) {
        await rm(join(directory, name), { recursive: true, force: true });
      }
    }
    await this.apply(this.table());
  }
}

/** Registers the hooks of a suite. Call it inside the suite's `describe`. */
export function useReloadContract(target: ReloadTarget): ReloadContract {
  const contract = new ReloadContract(target);
  beforeAll(() => contract.open());
  afterAll(() => contract.close());
  afterEach(() => contract.restore());
  stopAtRouterEnd(() => contract.running());
  return contract;
}
