// A server on raw sockets that does what a script says: answers with any bytes, holds, resets, half-closes. It keeps
// every byte that reached it, so that a smuggling test can show what the upstream saw and not what the router meant.

import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { ByteReader, type ConnectionEnd, EndOfBytes } from "./byte-reader.ts";
import { type RawRequest, type RequestHead, readRequestBody, readRequestHead } from "./http-message.ts";
import type { ReadBodyOptions } from "./message-body.ts";

/** What the upstream does on one connection. When it returns, the rest is read and kept until the peer closes. */
export type ConnectionScript = (connection: UpstreamConnection) => Promise<void>;

export interface HostileUpstreamOptions {
  /** @default 0, any free port */
  readonly port?: number;
  /** Bytes kept for each connection; the rest is counted only. @default 1048576 */
  readonly keepBytes?: number;
}

/** One accepted connection, as the script sees it. */
export class UpstreamConnection {
  readonly reader: ByteReader;
  /** Counts connections from 0. */
  readonly index: number;
  readonly #socket: Socket;
  readonly #kept: Buffer[] = [];
  #keptBytes = 0;
  #receivedBytes = 0;

  constructor(socket: Socket, index: number, keepBytes: number) {
    this.#socket = socket;
    this.index = index;
    this.reader = new ByteReader(socket, {
      // A pooled connection may idle for as long as the test runs; a test's own deadline is what ends it.
      deadlineMs: 120_000,
      onChunk: (chunk) => {
        this.#receivedBytes += chunk.length;
        if (this.#keptBytes >= keepBytes) return;
        this.#kept.push(chunk);
        this.#keptBytes += chunk.length;
      },
    });
  }

  /** Every byte received so far, up to `keepBytes`. */
  received(): Buffer {
    return Buffer.concat(this.#kept);
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  get closed(): boolean {
    return this.#socket.destroyed;
  }

  readHead(): Promise<RequestHead> {
    return readRequestHead(this.reader);
  }

  readBody(head: RequestHead, options: ReadBodyOptions = {}): Promise<RawRequest> {
    return readRequestBody(this.reader, head, options);
  }

  async readRequest(options: ReadBodyOptions = {}): Promise<RawRequest> {
    return this.readBody(await this.readHead(), options);
  }

  /** Sends bytes; text is Latin-1. Resolves false when the peer left before the kernel took them. */
  write(bytes: string | Buffer): Promise<boolean> {
    const chunk = typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes;
    if (this.#socket.destroyed) return Promise.resolve(false);
    return new Promise((resolve) => this.#socket.write(chunk, (error) => resolve(error == null)));
  }

  /** Ends the sending side (FIN); reading goes on. */
  halfClose(): void {
    this.#socket.end();
  }

  /** Closes at once with a RST. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  /** Closes in order: what was written arrives, then a FIN. */
  async close(): Promise<void> {
    if (this.#socket.destroyed) return;
    this.#socket.end();
    await this.untilClosed();
    this.#socket.destroy();
  }

  /** Reads and keeps what arrives until the peer is gone, and says how it went. */
  async untilClosed(): Promise<ConnectionEnd> {
    while ((await this.reader.chunk()) !== undefined);
    return this.reader.end ?? "closed";
  }
}

export class HostileUpstream implements AsyncDisposable {
  readonly connections: UpstreamConnection[] = [];
  /** Errors that scripts threw, other than a peer that left. */
  readonly scriptErrors: unknown[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(script: ConnectionScript, keepBytes: number) {
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      const connection = new UpstreamConnection(socket, this.connections.length, keepBytes);
      this.connections.push(connection);
      void this.#run(script, connection, socket);
    });
  }

  async listen(port: number): Promise<void> {
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /**
   * Every request that reached this upstream, framed strictly from the bytes received. One whose bytes are not all
   * there has `ending: "truncated"`. @throws NotHttp when what was received allows two readings
   */
  async requestsSeen(): Promise<RawRequest[]> {
    const requests: RawRequest[] = [];
    for (const connection of this.connections) requests.push(...(await frameRequests(connection.received())));
    return requests;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #run(script: ConnectionScript, connection: UpstreamConnection, socket: Socket): Promise<void> {
    try {
      await script(connection);
      await connection.untilClosed();
    } catch (error) {
      if (!(error instanceof EndOfBytes)) this.scriptErrors.push(error);
    } finally {
      socket.destroy();
    }
  }
}

/** Frames bytes as requests, the last of which may be cut short. */
export async function frameRequests(bytes: Buffer): Promise<RawRequest[]> {
  const reader = new ByteReader(bytes);
  const requests: RawRequest[] = [];
  while (reader.buffered > 0) requests.push(await readRequestBody(reader, await readRequestHead(reader)));
  return requests;
}

/** Starts an upstream that runs `script` on each connection it accepts. */
export async function startHostileUpstream(
  script: ConnectionScript,
  options: HostileUpstreamOptions = {},
): Promise<HostileUpstream> {
  const upstream = new HostileUpstream(script, options.keepBytes ?? 1_048_576);
  await upstream.listen(options.port ?? 0);
  return upstream;
}

/** A script that answers every request on a connection with the same bytes. */
export function respondToAll(response: string | Buffer): ConnectionScript {
  return async (connection) => {
    for (;;) {
      await connection.readRequest();
      await connection.write(response);
    }
  };
}
