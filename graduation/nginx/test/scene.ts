// nginx over four cells that a test can stop, with a generated configuration.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../../bench/free-port.ts";
import { type Cell, startCell } from "../../../shared/cells/cell.ts";
import { placementNames } from "../../../shared/testkit/cluster.ts";
import type { RawResponse } from "../../../shared/testkit/http-message.ts";
import { sendRaw } from "../../../shared/testkit/raw-client.ts";
import { parseRoutingTable, type RoutingTable } from "../../../stages/m4/src/routing-table.ts";
import { NginxProcess } from "../nginx-process.ts";

export function tableOf(document: unknown): RoutingTable {
  const result = parseRoutingTable(document);
  if (!result.ok) throw new Error(result.faults.join("\n"));
  return result.table;
}

export class Scene implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly cells: ReadonlyMap<string, Cell>;
  readonly nginx: NginxProcess;
  readonly url: string;

  private constructor(
    stack: AsyncDisposableStack,
    cells: Map<string, Cell>,
    nginx: NginxProcess,
    url: string,
  ) {
    this.#stack = stack;
    this.cells = cells;
    this.nginx = nginx;
    this.url = url;
  }

  static async open(documentFrom: (urlOf: (name: string) => string) => unknown): Promise<Scene> {
    await using stack = new AsyncDisposableStack();
    const cells = new Map<string, Cell>();
    for (const name of placementNames) cells.set(name, stack.use(await startCell({ name })));
    const directory = await mkdtemp(join(tmpdir(), "cell-routing-nginx-"));
    stack.defer(() => rm(directory, { recursive: true, force: true }));
    const listen = `127.0.0.1:${await freePort()}`;
    const table = tableOf(documentFrom((name) => cells.get(name)?.url ?? ""));
    const nginx = stack.use(await NginxProcess.start(table, { listen, directory }));
    return new Scene(stack.move(), cells, nginx, `http://${listen}`);
  }

  ask(key: string, path = "/"): Promise<RawResponse> {
    const head = `GET ${path} HTTP/1.1\r\nHost: cells.test\r\nX-Routing-Key: ${key}\r\nConnection: close\r\n\r\n`;
    return sendRaw(this.url, Buffer.from(head, "utf8"));
  }

  requestsAt(name: string): number {
    return this.cells.get(name)?.stats().requests ?? 0;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

export const placement = (url: string, more: object = {}, kind = "tier") => ({ kind, url, ...more });

/** The contract's four placements, of which some have more settings. */
export function documentWith(
  urlOf: (name: string) => string,
  more: Readonly<Record<string, object>>,
  top: object = {},
): object {
  const kindOf = (name: string) => (name === "visa" ? "dedicated" : "tier");
  return {
    version: "slow",
    defaultPlacement: "tier3",
    routingTable: Object.fromEntries(placementNames.map((name) => [name, name])),
    placements: Object.fromEntries(
      placementNames.map((name) => [name, placement(urlOf(name), more[name] ?? {}, kindOf(name))]),
    ),
    ...top,
  };
}
