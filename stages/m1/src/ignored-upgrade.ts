// Makes an ignored `Upgrade` change nothing about the connection. Behind such a request Node's parser stops, and Node drops
// what the same read brought after it: with half of the next request lost, its body would be read as a request.
// https://www.rfc-editor.org/rfc/rfc9110#section-7.8
// Parses a read piece by piece, too: what a client sends far ahead of its turn waits as bytes.

import type { Socket } from "node:net";

interface RequestParser {
  /** The last request whose head has come. */
  readonly incoming: { readonly upgrade: boolean; readonly complete: boolean } | null;
  /** Takes bytes; returns how many, or an error. */
  execute(bytes: Buffer): number | (Error & { readonly bytesParsed?: number });
}

export interface ReadListener {
  /** Hears of each read whether it was a part of a head; one that came along with the message before it is not noticed. */
  readonly onRead: (headBegun: boolean) => void;
  /** Asked between pieces of one read. False: `rest` is read again later. */
  readonly takesMore: (rest: Buffer) => boolean;
}

/** Reads on behind requests whose `Upgrade` is ignored, for as long as the connection lives. */
export function continueAfterUpgrade(
  socket: Socket & { readonly parser?: RequestParser },
  { onRead, takesMore }: ReadListener,
): void {
  const { parser } = socket;
  if (parser === undefined) return;
  // Node uses parsers again: taken from the object itself, it would be the function of the connection before.
  const { execute } = Object.getPrototypeOf(parser) as RequestParser;
  parser.execute = (bytes) => {
    for (let taken = 0; ; ) {
      const { incoming: before } = parser;
      const wasComplete = before?.complete === true;
      const end = endOfPiece(bytes, taken);
      const result = execute.call(parser, end - taken === bytes.length ? bytes : bytes.subarray(taken, end));
      if (typeof result !== "number") {
        return Object.assign(result, { bytesParsed: taken + (result.bytesParsed ?? 0) });
      }
      taken += result;
      const { incoming } = parser;
      if (taken === bytes.length || socket.destroyed) {
        onRead(incoming === before && (before === null || wasComplete));
        return taken;
      }
      if (taken === end && incoming?.upgrade !== true) {
        if (takesMore(bytes.subarray(taken))) continue;
        onRead(false);
        return bytes.length;
      }
      const endsHere = incoming?.complete === true && !(incoming === before && wasComplete);
      // The parser stops at a fault, too, and does not say so behind a request for another protocol.
      if (!endsHere) return Object.assign(new Error("The next request is malformed."), { bytesParsed: 0 });
      if (incoming?.upgrade === true) return taken;
    }
  };
  // Without a listener for its bytes, Node lets them pass by this function, from the system straight to the parser.
  socket.on("data", () => {});
}

const emptyLine = Buffer.from("\r\n\r\n");
/** One read may bring thousands of requests, and each costs a hundred times its bytes once it has been parsed. */
const headsAtOnce = 16;

/** Where the next piece of `bytes` ends. A head ends with an empty line; that a body may hold some, too, does no harm. */
function endOfPiece(bytes: Buffer, from: number): number {
  let end = from;
  for (let heads = 0; heads < headsAtOnce; heads++) {
    const at = bytes.indexOf(emptyLine, end);
    if (at === -1) return bytes.length;
    end = at + emptyLine.length;
  }
  return end;
}
