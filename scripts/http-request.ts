// One HTTP request for demos and checks, on a connection of its own: what was sent and got stays easy to tell.

import { type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";

export interface Ask {
  readonly url: string;
  /** @default "GET" */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** Sent whole, or piece by piece: each piece is asked for when the one before it is written. */
  readonly body?: string | AsyncIterable<string>;
  /** Called with each piece of the response's body as it arrives. */
  readonly onChunk?: (text: string) => void;
  /** @default 20000 */
  readonly timeoutMs?: number;
}

export interface ReceivedResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Sends one request and reads the whole response. Rejects on a broken connection, a cut body, and after `timeoutMs`. */
export async function ask(options: Ask): Promise<ReceivedResponse> {
  const signal = AbortSignal.timeout(options.timeoutMs ?? 20_000);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const { body } = options;
  const outgoing = request(options.url, {
    method: options.method ?? (body === undefined ? "GET" : "POST"),
    headers: { ...options.headers } as Record<string, string | string[]>,
    agent: false,
    signal,
  });
  outgoing.once("response", resolve);
  outgoing.once("error", reject);
  // Node closes without a word after a 101 that nobody has asked for.
  outgoing.once("close", () => reject(new Error("closed without a response")));
  if (body === undefined || typeof body === "string") outgoing.end(body);
  else writePieces(outgoing, body).catch((error) => outgoing.destroy(error));
  const incoming = await promise;
  return {
    status: incoming.statusCode ?? 0,
    headers: incoming.headers,
    body: await readBody(incoming, options),
  };
}

async function writePieces(
  outgoing: ReturnType<typeof request>,
  pieces: AsyncIterable<string>,
): Promise<void> {
  for await (const piece of pieces) outgoing.write(piece);
  outgoing.end();
}

async function readBody(incoming: IncomingMessage, options: Ask): Promise<string> {
  incoming.setEncoding("utf8");
  let body = "";
  // The iterator throws when the connection ends before the body does: a cut response never looks whole.
  for await (const chunk of incoming as AsyncIterable<string>) {
    body += chunk;
    options.onChunk?.(chunk);
  }
  return body;
}
