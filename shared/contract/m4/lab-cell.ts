// A cell whose every response a case decides: it can hold a response back until the case has looked around, reset a
// connection, and count who came. Faults that only have to be switched on are in `../../cells`.

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { eventually } from "../../testkit/eventually.ts";

export type LabHandler = (request: LabRequest) => unknown;

/** One request at the cell. */
export class LabRequest {
  readonly atMs = performance.now();
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly #cell: string;

  constructor(cell: string, req: IncomingMessage, res: ServerResponse) {
    this.#cell = cell;
    this.req = req;
    this.res = res;
  }

  get method(): string {
    return this.req.method ?? "";
  }

  get path(): string {
    return this.req.url ?? "";
  }

  /** Whether the router has given this request up. */
  get isGone(): boolean {
    return this.res.closed && !this.res.writableFinished;
  }

  respond(status = 200, body = "ok", fields: Readonly<Record<string, string>> = {}): void {
    this.req.resume();
    this.res.writeHead(status, {
      "Content-Length": Buffer.byteLength(body),
      "X-Cell": this.#cell,
      ...fields,
    });
    this.res.end(this.method === "HEAD" ? undefined : body);
  }

  reset(): void {
    this.req.socket.resetAndDestroy();
  }

  async body(): Promise<string> {
    const pieces: Buffer[] = [];
    for await (const piece of this.req as AsyncIterable<Buffer>) pieces.push(piece);
    return Buffer.concat(pieces).toString("latin1");
  }
}

const respondOk: LabHandler = (request) => request.respond();

export class LabCell implements AsyncDisposable {
  readonly name: string;
  /** Decides about every request but health probes. */
  handler: LabHandler;
  /** Decides about health probes: on every path that begins with `/health`. */
  onProbe: LabHandler = respondOk;
  /** All requests but health probes, in the order in which they came. */
  readonly requests: LabRequest[] = [];
  readonly probes: LabRequest[] = [];
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;

  private constructor(name: string, handler: LabHandler) {
    this.name = name;
    this.handler = handler;
  }

  static async start(name: string, handler: LabHandler = respondOk): Promise<LabCell> {
    const cell = new LabCell(name, handler);
    await cell.up();
    return cell;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Listens, on the port that it had before where it had one. */
  async up(): Promise<void> {
    const server = createServer({ keepAliveTimeout: 120_000, requestTimeout: 0 });
    server.on("request", (req, res) => this.#onRequest(req, res));
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    server.listen(this.#port, "127.0.0.1");
    await once(server, "listening");
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Cuts every connection and refuses new ones, as a machine does that goes away. */
  async down(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = once(server, "close");
    server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Waits until `count` requests have come, in all. */
  async sees(count: number): Promise<LabRequest> {
    const there = () => this.requests.length >= count;
    await eventually(there, { what: `${this.name} sees request ${count}`, deadlineMs: 10_000 });
    return this.requests[count - 1] as LabRequest;
  }

  /** Waits until `count` health probes have come, in all. */
  async isProbed(count: number): Promise<LabRequest> {
    const there = () => this.probes.length >= count;
    await eventually(there, { what: `${this.name} is probed ${count} times`, deadlineMs: 10_000 });
    return this.probes[count - 1] as LabRequest;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.down();
  }

  #onRequest(req: IncomingMessage, res: ServerResponse): void {
    const request = new LabRequest(this.name, req, res);
    const isProbe = req.url?.startsWith("/health") === true;
    (isProbe ? this.probes : this.requests).push(request);
    void Promise.resolve((isProbe ? this.onProbe : this.handler)(request)).catch(() => res.destroy());
  }
}
