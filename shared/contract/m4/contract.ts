// Opens what the m4 cases share: a router that follows a file, and the words of the cases: protect placements, ask, hold
// requests under way, wait for what the router does by itself.

import { rename, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, expect } from "vitest";
import { eventually } from "../../testkit/eventually.ts";
import type { RawResponse } from "../../testkit/http-message.ts";
import { sendRaw } from "../../testkit/raw-client.ts";
import { askAdmin } from "../admin-request.ts";
import { expectForm } from "../expect-form.ts";
import { expectProblem } from "../m1/problem.ts";
import type { FollowingRouter, ReloadTarget } from "../m2/target.ts";
import { type RequestParts, requestBytes } from "../messages.ts";
import { stopAtRouterEnd } from "../router-end.ts";
import { EventStream } from "./event-stream.ts";
import { LabCell as Lab, type LabCell, type LabHandler } from "./lab-cell.ts";
import { type MetricFamily, parsePrometheusText } from "./prometheus-text.ts";

/** A placement as a case writes it: `cell` or `url` says where it lives; the rest goes into the table as it is. */
export interface Protection {
  readonly cell?: { readonly url: string };
  readonly url?: string;
  /** @default "tier" */
  readonly kind?: "dedicated" | "tier";
  readonly [setting: string]: unknown;
}

export type Protections = Readonly<Record<string, Protection>>;

/** What may stand beside the placements, such as `keyLimits`. */
export type TopLevel = Readonly<Record<string, unknown>>;

interface DebugConfig {
  readonly version: string;
  readonly lastError: { readonly faults: readonly string[] } | null;
}

export class ResilienceContract {
  readonly #target: ReloadTarget;
  #router: FollowingRouter | undefined;
  #shared: LabCell | undefined;
  #nextVersion = 1;
  /** Stands in every table, so that what takes long can run beside the other cases. */
  #lasting: { readonly placements: Protections; readonly top: TopLevel } = { placements: {}, top: {} };

  constructor(target: ReloadTarget) {
    this.#target = target;
  }

  async open(): Promise<void> {
    this.#shared = await Lab.start("shared");
    this.#router = await this.#target.start(JSON.stringify(this.table({})));
  }

  async close(): Promise<void> {
    await this.#router?.close();
    await this.#shared?.down();
  }

  /** The router, once it has been started. */
  running(): FollowingRouter[] {
    return this.#router === undefined ? [] : [this.#router];
  }

  get router(): FollowingRouter {
    if (this.#router === undefined) throw new Error("The router has not been started");
    return this.#router;
  }

  /** Serves the default placement, `shared`. */
  get shared(): LabCell {
    if (this.#shared === undefined) throw new Error("The contract has not been opened");
    return this.#shared;
  }

  cell(name: string, handler?: LabHandler): Promise<LabCell> {
    return Lab.start(name, handler);
  }

  keep(placements: Protections, top: TopLevel): void {
    this.#lasting = { placements, top };
  }

  /** A table with these placements, each reached by the routing key of the same name, and a version of its own. */
  table(placements: Protections, top: TopLevel = {}): Record<string, unknown> {
    const all = { ...this.#lasting.placements, ...placements };
    const written = Object.entries(all).map(([name, { cell, kind = "tier", ...rest }]) => {
      return [name, { kind, ...(cell === undefined ? {} : { url: cell.url }), ...rest }] as const;
    });
    const names = ["shared", ...Object.keys(all)];
    const { routingTable = {}, keyLimits = {}, ...others } = top;
    return {
      version: `v${this.#nextVersion++}`,
      defaultPlacement: "shared",
      routingTable: { ...Object.fromEntries(names.map((name) => [name, name])), ...(routingTable as object) },
      placements: { shared: { kind: "tier", url: this.shared.url }, ...Object.fromEntries(written) },
      keyLimits: { ...(this.#lasting.top["keyLimits"] as object | undefined), ...(keyLimits as object) },
      ...others,
    };
  }

  /** Writes a table and waits until the router uses it. */
  async apply(placements: Protections, top: TopLevel = {}): Promise<void> {
    await this.applyTable(this.table(placements, top));
  }

  async applyTable(table: Record<string, unknown>): Promise<void> {
    await this.#write(table);
    const applied = async () => {
      const { version, lastError } = await this.config();
      return version === table["version"] && lastError === null;
    };
    await eventually(applied, { what: `the router uses table ${table["version"]}`, deadlineMs: 10_000 });
  }

  /** The faults that the router names in a table that it refuses. */
  async faultsOf(table: Record<string, unknown>): Promise<readonly string[]> {
    const before = (await this.config()).lastError;
    await this.#write(table);
    const changed = async () => {
      const { lastError, version } = await this.config();
      expect(version).not.toBe(table["version"]);
      return lastError !== null && JSON.stringify(lastError) !== JSON.stringify(before)
        ? lastError
        : undefined;
    };
    return (await eventually(changed, { what: "the router names faults", deadlineMs: 10_000 })).faults;
  }

  /** Whole at once: half a file, which a busy machine gives a router time to find, is m2's subject. */
  async #write(table: Record<string, unknown>): Promise<void> {
    const { routingFile } = this.router;
    await writeFile(`${routingFile}.next`, JSON.stringify(table));
    await rename(`${routingFile}.next`, routingFile);
  }

  async config(): Promise<DebugConfig> {
    return (await this.admin("/debug/config")).json() as unknown as DebugConfig;
  }

  /** One request to the admin port. */
  admin(path: string, parts: Pick<RequestParts, "method" | "fields"> = {}): Promise<RawResponse> {
    return askAdmin(this.router.adminUrl, path, parts);
  }

  /** One request to the data port, on a connection of its own. */
  ask(key: string, parts: RequestParts = {}): Promise<RawResponse> {
    const { method = "GET", fields = [] } = parts;
    const bytes = requestBytes({ ...parts, key, fields: [...fields, "Connection: close"] });
    return sendRaw(this.router.url, bytes, { method, deadlineMs: 30_000 });
  }

  /** Asks until the response fits, for what takes effect soon but not at once. */
  askUntil(key: string, what: string, fits: (response: RawResponse) => boolean): Promise<RawResponse> {
    const fitting = async () => {
      const response = await this.ask(key);
      return fits(response) ? response : undefined;
    };
    return eventually(fitting, { what: `"${key}" ${what}`, deadlineMs: 15_000, everyMs: 10 });
  }

  /** Asks until `placement` serves. */
  servedBy(key: string, placement: string): Promise<RawResponse> {
    return this.askUntil(key, `is served by ${placement}`, (response) => {
      return response.status === 200 && response.headers.one("x-routed-to") === placement;
    });
  }

  async metrics(): Promise<ReadonlyMap<string, MetricFamily>> {
    return parsePrometheusText((await this.admin("/metrics")).text());
  }

  events(fields: Readonly<Record<string, string>> = {}): Promise<EventStream> {
    return EventStream.open(this.router.adminUrl, fields);
  }

  /** Takes all protection away, and opens a stream that begins after that. */
  async eventsFromNow(): Promise<EventStream> {
    const stream = await this.events();
    const table = this.table({});
    await this.applyTable(table);
    await stream.first("the empty table", ({ data }) => data["version"] === table["version"]);
    stream.events.length = 0;
    return stream;
  }
}

/** Who served a response, and in whose stead. */
export function path(response: RawResponse): Record<string, unknown> {
  const [to, cell, from, reason, retries] = [
    "x-routed-to",
    "x-cell",
    "x-failover-from",
    "x-failover-reason",
    "x-retry-count",
  ].map((name) => response.headers.one(name));
  return { status: response.status, to, cell, from, reason, retries };
}

/** What `path` is for a response of the placement that was routed to. */
export function plainly(name: string, status = 200): Record<string, unknown> {
  return { status, to: name, cell: name, from: undefined, reason: undefined, retries: undefined };
}

/** Asserts that the router refused in its own name, said why, and when to come back. */
export function expectRefused(response: RawResponse, status: 429 | 503, code: string): number {
  expectProblem(response, status);
  expectForm(() => expect(response.json()["code"]).toBe(code));
  const retryAfter = response.headers.one("retry-after") ?? "";
  expect(retryAfter, "Retry-After in whole seconds").toMatch(/^[1-9]\d*$/);
  return Number(retryAfter);
}

/** Registers the hooks of a suite. Call it inside the suite's `describe`. */
export function useResilienceContract(target: ReloadTarget): ResilienceContract {
  const contract = new ResilienceContract(target);
  beforeAll(() => contract.open());
  afterAll(() => contract.close());
  stopAtRouterEnd(() => contract.running());
  return contract;
}
