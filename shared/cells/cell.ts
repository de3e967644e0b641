// The demo cell: a small HTTP server that says who served a request and what arrived, and that can be made to
// fail on purpose. It stands in for a team's whole application stack; it knows nothing of routing.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type Fault, type FaultAction, type FaultRequest, FaultSwitch, parseFault } from "./faults.ts";
import { respondTo } from "./responses.ts";

export interface CellOptions {
  /** Named in every response, as `cell` and in the `X-Cell` header. */
  readonly name: string;
  /** @default 0, any free port */
  readonly port?: number;
  /** @default "127.0.0.1" */
  readonly host?: string;
}

export interface CellStats {
  /** Requests other than `/health` and the control path. */
  readonly requests: number;
  readonly inFlight: number;
  /** Requests whose client left before the response was complete, and those that a fault cut. */
  readonly aborted: number;
  readonly healthChecks: number;
  readonly byMethod: Readonly<Record<string, number>>;
  readonly connections: number;
  /** Connections that it has accepted so far. */
  readonly accepted: number;
}

export interface Cell extends AsyncDisposable {
  readonly name: string;
  readonly url: string;
  readonly port: number;
  stats(): CellStats;
  /** Switches a fault on, or off with `{ fault: "none" }`. @throws RangeError on a bad parameter */
  setFault(fault: FaultRequest): void;
  currentFault(): Fault;
  /** Stops at once: connections are cut, as when a machine goes away. */
  close(): Promise<void>;
}

/** Starts a cell. Rejects with the listen error, for example when the port is taken. */
export async function startCell(options: CellOptions): Promise<Cell> {
  const cell = new CellServer(options.name);
  const url = await cell.listen(options.port ?? 0, options.host ?? "127.0.0.1");
  return {
    name: options.name,
    url: url.origin,
    port: Number(url.port),
    stats: () => cell.stats(),
    setFault: (fault) => cell.faults.set(parseFault(fault), performance.now()),
    currentFault: () => cell.faults.current(),
    close: () => cell.close(),
    [Symbol.asyncDispose]: () => cell.close(),
  };
}

class CellServer {
  readonly faults = new FaultSwitch();
  readonly #name: string;
  readonly #server: Server;
  readonly #connections = new Set<Socket>();
  readonly #byMethod = new Map<string, number>();
  #requests = 0;
  #inFlight = 0;
  #aborted = 0;
  #healthChecks = 0;
  #accepted = 0;

  constructor(name: string) {
    this.#name = name;
    this.#server = createServer({
      // Longer than any router's idle limit: otherwise both sides may close at once, and the demo shows a race.
      keepAliveTimeout: 120_000,
      // A slow upload is the router's to bound. The default (5 minutes) would cut a long demo.
      requestTimeout: 0,
      // Room for what a router adds to a head that was already at the usual limit of 16 KiB.
      maxHeaderSize: 65_536,
    });
    this.#server.on("request", (req, res) => void this.#handle(req, res));
    this.#server.on("connection", (socket) => {
      this.#connections.add(socket);
      this.#accepted += 1;
      socket.once("close", () => this.#connections.delete(socket));
    });
  }

  listen(port: number, host: string): Promise<URL> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, () => {
        this.#server.off("error", reject);
        resolve(new URL(`http://${host}:${(this.#server.address() as AddressInfo).port}`));
      });
    });
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#connections) socket.destroy();
    await closed;
  }

  stats(): CellStats {
    return {
      requests: this.#requests,
      inFlight: this.#inFlight,
      aborted: this.#aborted,
      healthChecks: this.#healthChecks,
      byMethod: Object.assign(Object.create(null), Object.fromEntries(this.#byMethod)),
      connections: this.#connections.size,
      accepted: this.#accepted,
    };
  }

  async #handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const path = (req.url ?? "/").split("?", 1)[0] ?? "/";
    if (path.startsWith("/__control/")) return this.#control(path, req, res);
    const health = path === "/health";
    const action = this.faults.actionFor({ health }, performance.now());
    if (health) {
      this.#healthChecks += 1;
      return this.#act(action, req, res, () => this.#sendJson(res, 200, { cell: this.#name, status: "ok" }));
    }
    this.#requests += 1;
    this.#inFlight += 1;
    const method = req.method ?? "";
    this.#byMethod.set(method, (this.#byMethod.get(method) ?? 0) + 1);
    res.once("close", () => {
      this.#inFlight -= 1;
      if (!res.writableFinished) this.#aborted += 1;
    });
    return this.#act(action, req, res, () => respondTo(this.#name, req, res));
  }

  async #act(
    action: FaultAction,
    req: IncomingMessage,
    res: ServerResponse,
    respond: () => void | Promise<void>,
  ): Promise<void> {
    try {
      switch (action.kind) {
        case "respond":
          return await respond();
        case "error":
          req.resume();
          return this.#sendJson(res, action.status, { cell: this.#name, fault: "error" });
        case "slow":
          if (await waitOrGone(res, action.delayMs)) await respond();
          return;
        case "hang":
          return void req.resume();
        case "reset":
          return void req.socket.resetAndDestroy();
        case "drop-mid-body":
          res.writeHead(200, { "content-type": "text/plain", "content-length": action.afterBytes + 1024 });
          // Only once the bytes have left: a reset throws away what still waits in our buffer.
          return void res.write("x".repeat(action.afterBytes), () => req.socket.resetAndDestroy());
        default:
          action satisfies never;
      }
    } catch {
      // The client left, or its body was cut: there is nobody to tell.
      res.destroy();
    }
  }

  /**
   * The control path: `GET /__control/stats`, `GET|POST /__control/fault`. Open to loopback only, and not to a
   * request that came through a proxy: a router passes every path on, and its clients must not break the cell.
   */
  async #control(path: string, req: IncomingMessage, res: ServerResponse): Promise<void> {
    const direct = req.headers.via === undefined && req.headers["x-forwarded-for"] === undefined;
    if (!direct || !isLoopback(req.socket.remoteAddress)) {
      req.resume();
      return this.#sendJson(res, 403, {
        error: "The control path is open to loopback only, not through a proxy",
      });
    }
    if (path === "/__control/stats" && req.method === "GET") return this.#sendJson(res, 200, this.stats());
    if (path === "/__control/fault" && req.method === "GET") {
      return this.#sendJson(res, 200, this.faults.current());
    }
    if (path === "/__control/fault" && req.method === "POST") {
      try {
        this.faults.set(parseFault(JSON.parse(await readSmallBody(req))), performance.now());
        return this.#sendJson(res, 200, this.faults.current());
      } catch (error) {
        return this.#sendJson(res, 400, { error: error instanceof Error ? error.message : String(error) });
      }
    }
    req.resume();
    return this.#sendJson(res, 404, { error: "Known here: GET stats, GET fault, POST fault" });
  }

  #sendJson(res: ServerResponse, status: number, value: unknown): void {
    const body = Buffer.from(`${JSON.stringify(value)}\n`);
    res.writeHead(status, {
      "content-type": "application/json",
      "content-length": body.length,
      "x-cell": this.#name,
    });
    res.end(body);
  }
}

function isLoopback(address: string | undefined): boolean {
  return address === "::1" || address?.replace(/^::ffff:/, "").startsWith("127.") === true;
}

async function readSmallBody(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > 10_000) throw new RangeError("A fault takes at most 10000 bytes");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Resolves true after `ms`, or false as soon as the client has left. */
function waitOrGone(res: ServerResponse, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const gone = () => finish(false);
    const timer = setTimeout(() => finish(true), ms);
    const finish = (stillHere: boolean) => {
      clearTimeout(timer);
      res.off("close", gone);
      resolve(stillHere);
    };
    res.once("close", gone);
  });
}
