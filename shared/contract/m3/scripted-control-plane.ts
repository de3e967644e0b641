// A control plane that does what a test says, and nothing by itself: it can be right, late, wrong or silent. It speaks
// the protocol from the contract's words and shares no code with any stage.

import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import { within } from "../../testkit/eventually.ts";

export type Json = Readonly<Record<string, unknown>>;

export interface Position {
  readonly epoch: string;
  readonly revision: number;
}

/** SHA-256 of the document with its keys sorted and without spaces. */
export function checksumOf(document: unknown): string {
  return createHash("sha256").update(canonical(document)).digest("hex");
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, each]) => `${JSON.stringify(key)}:${canonical(each)}`).join(",")}}`;
}

/** A snapshot as it goes over the wire: a head of one line, then the table. */
export function snapshotText(position: Position, table: unknown, checksum = checksumOf(table)): string {
  return `${JSON.stringify({ type: "snapshot", ...position, checksum })}\n${JSON.stringify(table)}`;
}

/** One link from a router, after its hello. */
export class ScriptedLink {
  readonly hello: Json;
  readonly authorization: string | undefined;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  readonly #socket: WebSocket;
  readonly #inbox: Inbox<Json>;

  constructor(socket: WebSocket, hello: Json, inbox: Inbox<Json>, authorization: string | undefined) {
    this.#socket = socket;
    this.hello = hello;
    this.#inbox = inbox;
    this.authorization = authorization;
    this.closed = new Promise((resolve) => {
      socket.once("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    });
  }

  /** Sends anything as a text message, or bytes as a binary one. */
  send(message: string | Buffer): void {
    this.#socket.send(message);
  }

  sendSnapshot(position: Position, table: unknown): void {
    this.send(snapshotText(position, table));
  }

  /** The router's next message. @throws Error after a minute */
  next(): Promise<Json> {
    return this.#inbox.take("a message from the router");
  }

  /** @throws Error with what came instead */
  async expectAck({ epoch, revision }: Position): Promise<void> {
    const message = await this.next();
    const isAck = message["type"] === "ack" && message["epoch"] === epoch && message["revision"] === revision;
    if (!isAck) throw new Error(`Expected an ack of ${epoch}.${revision}; got ${JSON.stringify(message)}`);
  }

  /** Sends a snapshot and waits until the router says that it runs it. */
  async push(position: Position, table: unknown): Promise<void> {
    this.sendSnapshot(position, table);
    await this.expectAck(position);
  }

  /** What the router's system has not taken yet. */
  get unsentBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** Resolves when everything that was ready to be read or written has been. */
  async turn(): Promise<void> {
    for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Resolves when the router has answered a ping. */
  async ping(): Promise<void> {
    this.#socket.ping();
    await within(once(this.#socket, "pong"), 60_000, "a pong");
  }

  /** Sends one message after the other, as fast as the router takes them, until `signal` aborts or the link ends. */
  async flood(next: () => string, signal: AbortSignal): Promise<void> {
    await this.#flood((done) => this.#socket.send(next(), done), signal);
  }

  async floodWithPings(signal: AbortSignal): Promise<void> {
    await this.#flood((done) => this.#socket.ping("", false, done), signal);
  }

  async #flood(send: (done: () => void) => void, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.#socket.readyState === this.#socket.OPEN) {
      const taken = new Promise<void>((resolve) => send(resolve));
      const aborted = new Promise<void>((resolve) =>
        signal.addEventListener("abort", () => resolve(), { once: true }),
      );
      await Promise.race([taken, aborted]);
      // A flood must not keep the test itself from running.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Cuts the connection without a closing handshake. */
  cut(): void {
    this.#socket.terminate();
  }
}

/** Things that arrive, to be taken in order. */
class Inbox<T> {
  readonly #items: T[] = [];
  #wake: () => void = () => {};

  put(item: T): void {
    this.#items.push(item);
    this.#wake();
  }

  async take(what: string): Promise<T> {
    while (this.#items.length === 0) {
      await within(new Promise<void>((resolve) => (this.#wake = resolve)), 60_000, what);
    }
    return this.#items.shift() as T;
  }

  clear(): void {
    this.#items.length = 0;
  }
}

export class ScriptedControlPlane implements AsyncDisposable {
  readonly #http: Server;
  readonly #sockets = new WebSocketServer({ noServer: true });
  readonly #links = new Inbox<ScriptedLink>();
  /** Links whose router never says hello, or is refused, count too. */
  attempts = 0;
  /** Answers every attempt with this status instead of a link. */
  refuseWith: number | undefined;

  private constructor(http: Server) {
    this.#http = http;
    http.on("upgrade", (req, socket, head) => this.#onUpgrade(req, socket, head));
  }

  static async listen(port = 0): Promise<ScriptedControlPlane> {
    const http = createServer((_, res) => res.writeHead(404).end());
    http.listen({ host: "127.0.0.1", port });
    await once(http, "listening");
    return new ScriptedControlPlane(http);
  }

  get port(): number {
    return (this.#http.address() as AddressInfo).port;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}/v1/connect`;
  }

  /** The next link whose router has said hello. The router may wait before it comes back, so this waits long. */
  nextLink(): Promise<ScriptedLink> {
    return this.#links.take("a link from the router");
  }

  /** Drops links that came and that nobody took. */
  forgetLinks(): void {
    this.#links.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }

  #onUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.attempts += 1;
    socket.on("error", () => {});
    if (this.refuseWith !== undefined) {
      socket.end(`HTTP/1.1 ${this.refuseWith} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
      return;
    }
    this.#sockets.handleUpgrade(req, socket, head, (link) => this.#onLink(link, req));
  }

  #onLink(socket: WebSocket, req: IncomingMessage): void {
    const inbox = new Inbox<Json>();
    socket.on("error", () => {});
    socket.once("message", (data: RawData) => {
      socket.on("message", (next: RawData) => inbox.put(JSON.parse(next.toString())));
      this.#links.put(
        new ScriptedLink(socket, JSON.parse(data.toString()), inbox, req.headers.authorization),
      );
    });
  }
}
