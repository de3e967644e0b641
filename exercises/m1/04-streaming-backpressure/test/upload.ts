// One request to a server on a port of its own, with the exercise's streams where the router would have them.

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { setImmediate } from "node:timers/promises";

export class Exchange implements AsyncDisposable {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** The client's end, which reads only what is asked for. */
  readonly client: Socket;
  readonly #server: ReturnType<typeof createServer>;

  private constructor(
    server: ReturnType<typeof createServer>,
    client: Socket,
    req: IncomingMessage,
    res: ServerResponse,
  ) {
    this.#server = server;
    this.client = client;
    this.req = req;
    this.res = res;
  }

  /** Sends a request's head, and resolves when the server has it. */
  static async begin(head: string): Promise<Exchange> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
    client.on("error", () => {});
    const arrived = once(server, "request") as Promise<[IncomingMessage, ServerResponse]>;
    client.write(`${head}\r\nHost: shop.example\r\n\r\n`);
    const [req, res] = await arrived;
    req.on("error", () => {});
    res.on("error", () => {});
    return new Exchange(server, client, req, res);
  }

  /** Bytes that the router has taken from the client's socket, wherever it keeps them. */
  taken(): number {
    return this.req.socket.bytesRead;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.destroy();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

/**
 * Resolves when `taken` rests: it has not grown for 200 turns of the event loop, in each of which a reader at full
 * speed would have read. Resolves at once when it grows beyond `limit`.
 */
export async function restOf(taken: () => number, limit: number): Promise<number> {
  let seen = taken();
  for (let turnsAtRest = 0; turnsAtRest < 200 && seen <= limit; turnsAtRest++) {
    await setImmediate();
    if (taken() === seen) continue;
    seen = taken();
    turnsAtRest = 0;
  }
  return seen;
}

/** `bytes` of which no two neighbouring pieces are alike, so that a lost, doubled or swapped one shows. */
export function distinctBytes(bytes: number): Buffer {
  const numbers = Uint32Array.from({ length: Math.ceil(bytes / 4) }, (_, at) => at);
  return Buffer.from(numbers.buffer, 0, bytes);
}

/** What came in words: nobody reads megabytes. */
export function comparedTo(wanted: Buffer, got: Buffer): string {
  if (got.equals(wanted)) return "every byte, in order";
  let at = 0;
  while (at < Math.min(wanted.length, got.length) && wanted[at] === got[at]) at += 1;
  return `${got.length} of ${wanted.length} bytes, the same up to byte ${at}`;
}
