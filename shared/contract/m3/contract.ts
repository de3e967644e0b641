// Opens what the m3 cases share: cells, folders, routers and control planes, and the words of the cases: push, wait
// until a router runs it, ask who serves.

import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll } from "vitest";
import { type Cell, startCell } from "../../cells/cell.ts";
import { placementNames } from "../../testkit/cluster.ts";
import { eventually, within } from "../../testkit/eventually.ts";
import { sendRaw } from "../../testkit/raw-client.ts";
import { askAdmin } from "../admin-request.ts";
import { type Table, tableOver } from "../m2/tables.ts";
import { requestBytes } from "../messages.ts";
import { stopAtRouterEnd } from "../router-end.ts";
import type { PushedRouter, PushTarget, RunningControlPlane } from "./target.ts";

/** What the admin port says about the table and the link; a router may say more. */
export interface DebugConfig {
  readonly source: string;
  readonly version: string | null;
  readonly checksum: string | null;
  readonly epoch: string | null;
  readonly revision: number | null;
  readonly connected: boolean;
  readonly stalenessSeconds: number;
  readonly lastError: { readonly at: string; readonly faults: readonly string[] } | null;
}

export const token = "a-token-of-the-contract-suite";

/** A router and its folder. */
export class Router {
  readonly id: string;
  readonly #running: PushedRouter;
  #isKilled = false;

  constructor(id: string, running: PushedRouter) {
    this.id = id;
    this.#running = running;
  }

  get url(): string {
    return this.#running.url;
  }

  /** Undefined while it runs, and when the case itself has ended it. */
  howItEnded(): string | undefined {
    return this.#isKilled ? undefined : this.#running.howItEnded();
  }

  kill(): Promise<void> {
    this.#isKilled = true;
    return this.#running.kill();
  }

  async config(): Promise<DebugConfig> {
    const response = await this.admin("/debug/config");
    return response.json() as unknown as DebugConfig;
  }

  admin(path: string) {
    return askAdmin(this.#running.adminUrl, path);
  }

  /** Waits until the admin port says what `predicate` wants. */
  configWhere(
    what: string,
    predicate: (config: DebugConfig) => boolean,
    deadlineMs = 60_000,
  ): Promise<DebugConfig> {
    const fitting = async () => {
      const config = await this.config();
      return predicate(config) ? config : undefined;
    };
    return eventually(fitting, { what: `${this.id}: ${what}`, deadlineMs, everyMs: 20 });
  }

  runs(table: Table): Promise<DebugConfig> {
    const isIt = ({ version }: DebugConfig) => version === table.version;
    return this.configWhere(`runs version "${table.version}"`, isIt);
  }

  /** Who serves `key`, as a placement's name, or the status of a refusal. */
  async served(key: string): Promise<string> {
    const response = await sendRaw(this.url, requestBytes({ key, fields: ["Connection: close"] }));
    return response.status === 200
      ? (response.headers.one("x-routed-to") ?? "")
      : `status ${response.status}`;
  }
}

export interface RouterOptions {
  /** A name that the folder is made of: the same name again is the same router, restarted. */
  readonly id: string;
  readonly controlPlaneUrl: string;
  /** @default the token of this suite */
  readonly token?: string;
  /** Content of the bootstrap file; absent: there is none. */
  readonly bootstrap?: Table | string;
}

export class PushContract {
  readonly target: PushTarget;
  readonly #cells = new Map<string, Cell>();
  readonly #open: { kill(): Promise<void> }[] = [];
  readonly #routers: Router[] = [];
  #directory = "";
  #nextVersion = 1;

  constructor(target: PushTarget) {
    this.target = target;
  }

  async open(): Promise<void> {
    this.#directory = await mkdtemp(join(tmpdir(), "cell-routing-m3-contract-"));
    for (const name of placementNames) this.#cells.set(name, await startCell({ name }));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#cells.values()].map((cell) => cell.close()));
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** What has been started so far outlives the test: its `afterAll` ends it. */
  keep(): void {
    this.#open.length = 0;
    this.#routers.length = 0;
  }

  /** The routers of the test under way. */
  running(): readonly Router[] {
    return this.#routers;
  }

  /** Ends every router and control plane that a test has started. */
  async closeProcesses(): Promise<void> {
    this.#routers.length = 0;
    await Promise.all(this.#open.splice(0).map((each) => each.kill()));
  }

  /** The contract's table over the suite's cells, with a version that no other table of this run has. */
  table(changes: (table: Table) => void = () => {}): Table {
    const urlOf = (name: string) => this.#cells.get(name)?.url ?? "";
    const table = tableOver(urlOf, `v${this.#nextVersion++}`);
    changes(table);
    return table;
  }

  /** A table in which `key` is served by `placement`. */
  tableWith(key: string, placement: string): Table {
    return this.table((table) => {
      table.routingTable[key] = placement;
    });
  }

  /** A folder of this name, the same one at every call. */
  async folder(name: string): Promise<string> {
    const folder = join(this.#directory, name);
    await mkdir(folder, { recursive: true });
    return folder;
  }

  async startRouter(options: RouterOptions): Promise<Router> {
    const folder = await this.folder(options.id);
    const routingFile = join(folder, "routing.json");
    const { bootstrap } = options;
    if (bootstrap !== undefined)
      await writeFile(routingFile, typeof bootstrap === "string" ? bootstrap : JSON.stringify(bootstrap));
    const running = await this.target.startRouter({
      controlPlaneUrl: options.controlPlaneUrl,
      token: options.token ?? token,
      routerId: options.id,
      stateDir: join(folder, "state"),
      routingFile,
    });
    this.#open.push(running);
    const router = new Router(options.id, running);
    this.#routers.push(router);
    return router;
  }

  /** A control plane that serves `table`. The same name again is the same one, restarted; `table` is then left as it is. */
  async startControlPlane(name: string, table?: Table, maxMessageBytes?: number): Promise<ControlPlane> {
    const folder = await this.folder(name);
    if (table !== undefined) await writeFile(join(folder, "routing.json"), JSON.stringify(table));
    const start = async (port: number) => {
      const running = await this.target.startControlPlane({
        port,
        stateDir: join(folder, "state"),
        routingFile: join(folder, "routing.json"),
        ...(maxMessageBytes === undefined ? {} : { maxMessageBytes }),
      });
      this.#open.push(running);
      return running;
    };
    const running = await start(0);
    return new ControlPlane(folder, running, (await readFile(running.tokenFile, "utf8")).trim(), start);
  }
}

/** How the control plane lists a router; it may say more. */
export interface RouterView {
  readonly id: string;
  readonly connected: boolean;
  readonly epoch: string | null;
  readonly revision: number | null;
  readonly lagSeconds: number;
  readonly lastNack: { readonly revision: number; readonly reasons: readonly string[] } | null;
}

export interface ReceivedResponse {
  readonly status: number;
  readonly etag: string | null;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: a response of a black box, looked at field by field
  readonly body: any;
}

/** A control plane's process, over its API and its files. */
export class ControlPlane {
  readonly folder: string;
  readonly token: string;
  readonly #start: (port: number) => Promise<RunningControlPlane>;
  readonly url: string;
  #running: RunningControlPlane;

  constructor(
    folder: string,
    running: RunningControlPlane,
    itsToken: string,
    start: (port: number) => Promise<RunningControlPlane>,
  ) {
    this.folder = folder;
    this.url = running.url;
    this.token = itsToken;
    this.#running = running;
    this.#start = start;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  get tokenFile(): string {
    return this.#running.tokenFile;
  }

  get routingFile(): string {
    return join(this.folder, "routing.json");
  }

  async request(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<ReceivedResponse> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.includes("json") === true && text !== "";
    return {
      status: response.status,
      etag: response.headers.get("etag"),
      headers: response.headers,
      body: isJson ? JSON.parse(text) : text,
    };
  }

  get(path = "/v1/routing"): Promise<ReceivedResponse> {
    return this.request("GET", path);
  }

  /** A write with the token, on top of `etag` or of what is current. */
  async write(method: string, path: string, body?: unknown, etag?: string): Promise<ReceivedResponse> {
    const ifMatch = etag ?? (await this.get()).etag ?? "";
    return await this.request(method, path, body, {
      Authorization: `Bearer ${this.token}`,
      "If-Match": ifMatch,
    });
  }

  /** @throws Error with the response unless the table was taken */
  async put(table: Table): Promise<ReceivedResponse> {
    const response = await this.write("PUT", "/v1/routing", table);
    if (response.status !== 200)
      throw new Error(`PUT answered ${response.status}: ${JSON.stringify(response.body)}`);
    return response;
  }

  /** How the control plane lists router `id`, once `predicate` accepts it. */
  routerWhere(
    id: string,
    what: string,
    predicate: (view: RouterView) => boolean,
    deadlineMs = 60_000,
  ): Promise<RouterView> {
    const fitting = async () => {
      const { body } = await this.get("/v1/routers");
      const view = body.routers.find((each: RouterView) => each.id === id);
      return view !== undefined && predicate(view) ? view : undefined;
    };
    return eventually(fitting, {
      what: `the control plane sees that ${id} ${what}`,
      deadlineMs,
      everyMs: 20,
    });
  }

  stop(): Promise<number | null> {
    return this.#running.stop();
  }

  kill(): Promise<void> {
    return this.#running.kill();
  }

  signal(signal: NodeJS.Signals): void {
    this.#running.signal(signal);
  }

  /** The exit code, once it has ended by itself. */
  exited(deadlineMs = 10_000): Promise<number | null> {
    return within(this.#running.exited, deadlineMs, "the control plane ends");
  }

  get stateDir(): string {
    return join(this.folder, "state");
  }

  /** Starts it again on the port that it had. */
  async restart(): Promise<void> {
    this.#running = await this.#start(this.port);
  }

  /** Copies everything that it has on disk to `name`, as a backup would. */
  async backUp(name: string): Promise<void> {
    await cp(this.folder, `${this.folder}-${name}`, { recursive: true });
  }

  /** Puts everything on disk back to what `backUp` found. Call it while the control plane is down. */
  async restore(name: string): Promise<void> {
    await rm(this.folder, { recursive: true });
    await cp(`${this.folder}-${name}`, this.folder, { recursive: true });
  }
}

export interface PushContractOptions {
  /** The cases run beside each other: what they start ends with the last of them. @default false */
  readonly concurrent?: boolean;
}

/** Registers the hooks of a suite. Call it inside the suite's `describe`. */
export function usePushContract(
  target: PushTarget,
  { concurrent = false }: PushContractOptions = {},
): PushContract {
  const contract = new PushContract(target);
  beforeAll(() => contract.open());
  afterAll(() => contract.close());
  const afterIt = concurrent ? afterAll : afterEach;
  afterIt(() => contract.closeProcesses());
  stopAtRouterEnd(() => contract.running(), { perCase: true });
  return contract;
}
