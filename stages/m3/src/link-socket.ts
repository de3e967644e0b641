// Opens the router's end of a WebSocket, and says in words why it did not open or how it ended. What is said over it is
// the client's.

import WebSocket, { type ClientOptions } from "ws";
import type { Clock } from "./clock.ts";

export interface LinkSocketOptions {
  readonly url: string;
  readonly token: string | undefined;
  /** A larger message ends the link. */
  readonly maxMessageBytes: number;
  readonly clock: Clock;
  /** Told of everything that goes wrong; the first is the cause of the others. */
  readonly onFault: (words: string) => void;
}

/** From the start of the connection to an open link, however slowly the response comes in. In milliseconds. */
const handshakeTimeoutMs = 10_000;

export interface LinkSocket {
  readonly socket: WebSocket;
  /** Resolves when the link has ended, whatever ended it, and even when it never began. */
  readonly closed: Promise<void>;
}

export function openLinkSocket({
  url,
  token,
  maxMessageBytes,
  clock,
  onFault,
}: LinkSocketOptions): LinkSocket {
  // `closeTimeout` is missing from the published types; without it a peer that is gone holds a closing link for 30 s.
  const options: ClientOptions & { closeTimeout: number } = {
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    closeTimeout: 1_000,
    maxPayload: maxMessageBytes,
    perMessageDeflate: false,
  };
  const socket = new WebSocket(url, options);
  socket.on("error", (error) => onFault(error.message));
  socket.once("unexpected-response", (request, response) => {
    onFault(refusalMessage(response.statusCode ?? 0, token !== undefined));
    // This listener takes over from ws, which would have ended the request.
    request.destroy();
    socket.terminate();
  });
  const decided = new AbortController();
  socket.once("open", () => decided.abort());
  // Not ws's own timeout: each byte would restart that one.
  clock.sleep(handshakeTimeoutMs, decided.signal).then(
    () => {
      onFault(`The control plane did not answer the handshake within ${handshakeTimeoutMs} ms`);
      socket.terminate();
    },
    () => {},
  );
  const closed = new Promise<void>((resolve) => {
    socket.once("close", (code, reason) => {
      decided.abort();
      // 1006: no closing handshake. https://www.rfc-editor.org/rfc/rfc6455#section-7.1.5
      const words =
        code === 1006 ? "The link broke off" : `The control plane closed the link: ${code} ${reason}`;
      onFault(words.trim());
      resolve();
    });
  });
  return { socket, closed };
}

function refusalMessage(status: number, hasToken: boolean): string {
  if (status !== 401) return `The control plane refused the link with status ${status}`;
  return hasToken
    ? "The control plane refused the token: set CONTROL_PLANE_TOKEN to the one that it uses"
    : "The control plane wants a token and there is none: set CONTROL_PLANE_TOKEN";
}
