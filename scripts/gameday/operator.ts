// Does to the stack what the schedule says, and undoes it: kills and restarts, switches faults, pushes tables good and bad.

import { readFileSync, writeFileSync } from "node:fs";
import { eventually } from "../../shared/testkit/eventually.ts";
import { BrokenPromiseError } from "../command-line.ts";
import { type CellName, cellNames, type Table } from "../load/tables.ts";
import type { Stack } from "../stack.ts";
import type { ControlPlaneMember } from "../stack-members.ts";
import type { GamedayRecord } from "./record.ts";
import type { Planned } from "./schedule.ts";
import { tableNumber } from "./tables.ts";

export class Operator {
  readonly #stack: Stack;
  readonly #record: GamedayRecord;
  readonly #urls: Readonly<Record<CellName, string>>;
  #tableCount = 0;

  constructor(stack: Stack, record: GamedayRecord) {
    this.#stack = stack;
    this.#record = record;
    const entries = cellNames.map((name) => [name, stack.cells.get(name)?.url ?? ""] as const);
    this.#urls = Object.fromEntries(entries) as Record<CellName, string>;
  }

  /** Pushes the first table and waits until every router uses it. */
  async begin(): Promise<void> {
    const table = await this.#push();
    await this.#isUsed(table);
  }

  /** Begins a disturbance. Returns what ends it. */
  async disturb(planned: Planned): Promise<() => Promise<void>> {
    switch (planned.kind) {
      case "control-plane-killed":
        await this.#controlPlane.kill();
        return () => this.#controlPlane.start();
      case "table-push": {
        const table = await this.#push();
        return () => this.#isUsed(table);
      }
      case "bad-push":
        await this.#pushBadTable();
        return async () => {};
      case "bad-file":
        return this.#spoilFile();
      default:
        return await this.#disturbCells(planned);
    }
  }

  /** Tells the record which table each router uses, as the router itself says, and returns their versions. */
  async look(): Promise<readonly string[]> {
    const versions: string[] = [];
    for (const router of this.#stack.routers) {
      const response = await fetch(`${router.adminUrl}/debug/config`);
      const { version } = (await response.json()) as { readonly version: string };
      this.#record.confirmed(router.url, version);
      versions.push(version);
    }
    return versions;
  }

  async #disturbCells(planned: Planned): Promise<() => Promise<void>> {
    if (!("cells" in planned)) throw new BrokenPromiseError(`no such disturbance: ${planned.kind}`);
    const cells = planned.cells.flatMap((name) => this.#stack.cells.get(name) ?? []);
    if (!("fault" in planned)) {
      await Promise.all(cells.map((cell) => cell.kill()));
      return async () => void (await Promise.all(cells.map((cell) => cell.start())));
    }
    await Promise.all(cells.map((cell) => cell.fault(planned.fault)));
    return async () => void (await Promise.all(cells.map((cell) => cell.fault({ fault: "none" }))));
  }

  get #controlPlane(): ControlPlaneMember {
    if (this.#stack.controlPlane === undefined)
      throw new BrokenPromiseError("this stage has no control plane");
    return this.#stack.controlPlane;
  }

  async #push(): Promise<Table> {
    const table = tableNumber(this.#tableCount++, this.#urls);
    // Before it is sent: a router may have it before we hear that it was taken.
    for (const { url } of this.#stack.routers) this.#record.offered(url, table);
    const status = await this.#put(table.document);
    if (status !== 200) throw new BrokenPromiseError(`the control plane answered ${status} to a good table`);
    return table;
  }

  async #pushBadTable(): Promise<void> {
    const { document } = tableNumber(this.#tableCount, this.#urls);
    const looped = { kind: "tier", url: this.#urls.tier1, fallback: ["tier2"] };
    const status = await this.#put({
      ...document,
      version: "bad",
      placements: { tier2: { ...looped, fallback: ["tier2"] } },
    });
    if (status !== 422)
      this.#record.violated(`3 last-known-good: the control plane answered ${status} to a bad table`);
  }

  async #put(document: object): Promise<number> {
    const { url, tokenFile } = this.#controlPlane;
    const etag = (await fetch(`${url}/v1/routing`)).headers.get("etag") ?? "";
    const response = await fetch(`${url}/v1/routing`, {
      method: "PUT",
      headers: { Authorization: `Bearer ${readFileSync(tokenFile, "utf8").trim()}`, "If-Match": etag },
      body: JSON.stringify(document),
    });
    return response.status;
  }

  async #isUsed({ version }: Table): Promise<void> {
    // What the record holds would not do: before the first table, it knows no other one that a router might still use.
    const used = async () => (await this.look()).every((each) => each === version);
    // A router that has just lost its link comes back after up to a second or two of backoff.
    await eventually(used, { what: `every router uses ${version}`, deadlineMs: 90_000, everyMs: 20 });
  }

  #spoilFile(): () => Promise<void> {
    const file = this.#stack.routingFile ?? "";
    const whole = readFileSync(file, "utf8");
    writeFileSync(file, whole.slice(0, whole.length / 2));
    return async () => writeFileSync(file, whole);
  }
}
