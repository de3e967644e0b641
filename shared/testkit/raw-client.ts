// A client that sends exactly the bytes a test gives it and reads responses with the strict framing of
// `http-message.ts`. It reads only when asked, so a test that waits is a slow reader.

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { ByteReader, type ConnectionEnd } from "./byte-reader.ts";
import {
  type RawResponse,
  type ResponseHead,
  readResponse,
  readResponseBody,
  readResponseHead,
} from "./http-message.ts";
import type { ReadBodyOptions } from "./message-body.ts";

export interface ReadResponseOptions extends ReadBodyOptions {
  /** Of the request that this answers. @default "GET" */
  readonly method?: string;
}

export class RawClient implements AsyncDisposable {
  readonly reader: ByteReader;
  readonly #socket: Socket;

  private constructor(socket: Socket, deadlineMs: number | undefined) {
    this.#socket = socket;
    this.reader = new ByteReader(socket, deadlineMs === undefined ? {} : { deadlineMs });
  }

  /**
   * Opens a connection.
   *
   * @param to A URL such as a router's, or a port of 127.0.0.1.
   * @param options `deadlineMs`: how long one read may wait, 15000 unless set.
   */
  static async connect(
    to: string | number,
    options: { readonly deadlineMs?: number } = {},
  ): Promise<RawClient> {
    const url = typeof to === "number" ? new URL(`http://127.0.0.1:${to}`) : new URL(to);
    // Half-open allowed: a client that ended its side may still read.
    const socket = connect({
      host: url.hostname,
      port: Number(url.port || 80),
      allowHalfOpen: true,
      noDelay: true,
    });
    await once(socket, "connect");
    return new RawClient(socket, options.deadlineMs);
  }

  /** Sends bytes; text is Latin-1, one byte per char. Resolves when the socket wants more: a slow peer makes it wait. */
  write(bytes: string | Buffer): Promise<void> {
    return told(this.#write(bytes));
  }

  async #write(bytes: string | Buffer): Promise<void> {
    const chunk = typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes;
    const closed = () => new Error("The connection closed while bytes waited to be sent");
    // A connection that has gone already will not say so again.
    if (this.#socket.destroyed) throw closed();
    if (this.#socket.write(chunk)) return;
    const gone = new AbortController();
    const leave = () => gone.abort(closed());
    this.#socket.once("close", leave);
    try {
      await once(this.#socket, "drain", { signal: gone.signal });
    } finally {
      this.#socket.off("close", leave);
    }
  }

  /** Sends without waiting for room. False when the socket's buffer is full. */
  writeNow(bytes: string | Buffer): boolean {
    return this.#socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  }

  /** Bytes handed to `write` that the kernel has not taken yet. */
  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  /** The next whole response, after any 1xx. */
  readResponse(options: ReadResponseOptions = {}): Promise<RawResponse> {
    return told(readResponse(this.reader, options.method ?? "GET", options));
  }

  /** Only the head of the next response: it may arrive long before its body. */
  readHead(): Promise<ResponseHead> {
    return told(readResponseHead(this.reader));
  }

  /** The body that belongs to a head from `readHead`. */
  readBody(head: ResponseHead, options: ReadResponseOptions = {}): Promise<RawResponse> {
    return told(readResponseBody(this.reader, head, options.method ?? "GET", options));
  }

  /** Sends bytes and reads one response. */
  async request(bytes: string | Buffer, options: ReadResponseOptions = {}): Promise<RawResponse> {
    await this.write(bytes);
    const method = /^[!-~]+/.exec(bytes.toString("latin1"))?.[0];
    return this.readResponse(method === undefined ? options : { method, ...options });
  }

  /** Reads and drops everything, and says how the peer ended the connection. */
  async untilClosed(): Promise<ConnectionEnd> {
    while ((await this.reader.chunk()) !== undefined);
    return this.reader.end ?? "closed";
  }

  /** Ends the sending side (FIN) and keeps reading. */
  halfClose(): void {
    this.#socket.end();
  }

  /** Leaves at once with a RST. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    if (this.#socket.closed) return;
    const closed = once(this.#socket, "close");
    this.#socket.destroy();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * A promise that a case may hold and wait for later. When the case fails before that, the rejection belongs to nobody, and
 * would end the whole test run.
 */
function told<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/** One request on a connection of its own. */
export async function sendRaw(
  to: string | number,
  bytes: string | Buffer,
  options: ReadResponseOptions & { readonly deadlineMs?: number } = {},
): Promise<RawResponse> {
  await using client = await RawClient.connect(to, options);
  return await client.request(bytes, options);
}

/** Whether anything accepts connections there. */
export async function accepts(to: string | number): Promise<boolean> {
  try {
    await (await RawClient.connect(to)).close();
    return true;
  } catch {
    return false;
  }
}
