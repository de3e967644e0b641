// A router of one route: every request is one attempt at one cell, over one connection, so that a second request has
// to wait for the first. The cell runs a script on raw sockets.

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Pool } from "undici";
import {
  type ConnectionScript,
  type HostileUpstream,
  startHostileUpstream,
} from "../../../../shared/testkit/hostile-upstream.ts";
import { RawClient } from "../../../../shared/testkit/raw-client.ts";
import { within } from "../../../support/check.ts";
import { type AttemptResult, attempt } from "../starter/attempt.ts";

/** A request that the router is serving. */
export interface Served {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly result: Promise<AttemptResult>;
}

export class Setup implements AsyncDisposable {
  readonly cell: HostileUpstream;
  readonly #pool: Pool;
  readonly #server = createServer();
  readonly #clients: RawClient[] = [];

  private constructor(cell: HostileUpstream) {
    this.cell = cell;
    this.#pool = new Pool(cell.url, { connections: 1, pipelining: 1 });
    this.#server.on("request", (req, res) => this.#serve(req, res));
  }

  static async with(script: ConnectionScript): Promise<Setup> {
    const setup = new Setup(await startHostileUpstream(script));
    setup.#server.listen(0, "127.0.0.1");
    await once(setup.#server, "listening");
    return setup;
  }

  /** Sends a request on a connection of its own, and resolves once the router serves it. */
  async send(request: string): Promise<Served & { readonly client: RawClient }> {
    const client = await RawClient.connect((this.#server.address() as AddressInfo).port, {
      deadlineMs: 2_000,
    });
    this.#clients.push(client);
    const arrived = once(this.#server, "served") as Promise<[Served]>;
    await client.write(request);
    const [served] = await within(1_000, "the router to get the request", arrived);
    return { ...served, client };
  }

  #serve(req: IncomingMessage, res: ServerResponse): void {
    const hasBody = req.method === "POST";
    const headers = hasBody ? ["Content-Length", req.headers["content-length"] ?? "0"] : [];
    const request = {
      method: req.method ?? "",
      path: req.url ?? "",
      headers,
      hasBody,
      routing: { requestId: "id-1", routedTo: "tier1", routeReason: "tier" },
    };
    const result = attempt(this.#pool, request, req, res, { bytesIn: 0, bytesOut: 0 });
    result.then(
      (each) => {
        if (each.kind === "failed" && !each.headSent) res.writeHead(502).end();
      },
      () => res.destroy(),
    );
    this.#server.emit("served", { req, res, result });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) await client.close();
    this.#server.closeAllConnections();
    this.#server.close();
    await this.#pool.destroy();
    await this.cell.close();
  }
}

export const get = (path: string, version = "1.1") =>
  `GET ${path} HTTP/${version}\r\nHost: shop.example\r\n\r\n`;
