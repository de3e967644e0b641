// Makes an ignored `Upgrade` change nothing about the connection. After such a request Node's parser stops, and Node drops
// the rest of what it has just read: with half of the next request lost, its body would be parsed as a request.
// https://www.rfc-editor.org/rfc/rfc9110#section-7.8
// Parses each read piece by piece, too: requests that a client sends far ahead of their turn wait as bytes.

import type { Socket } from "node:net";

interface RequestParser {
  /** The last request whose head has come. */
  readonly incoming: { readonly upgrade: boolean; readonly complete: boolean } | null;
  /** Takes bytes; returns how many, or an error. */
  execute(bytes: Buffer): number | (Error & { readonly bytesParsed?: number });
}

export interface ReadListener {
  /** Told after each read whether part of a head came; a head that begins in the same read as the message before it goes unnoticed. */
  readonly onRead: (headBegun: boolean) => void;
  /** Asked between pieces of one read. False: `rest` is read again later. */
  readonly takesMore: (rest: Buffer) => boolean;
}

/** Parses on after requests whose `Upgrade` is ignored, for as long as the connection lives. */
export function continueAfterUpgrade(
  socket: Socket & { readonly parser?: RequestParser },
  { onRead, takesMore }: ReadListener,
): void {
  const { parser } = socket;
  if (parser === undefined) return;
  // Node reuses parsers: the object itself may still hold the function of an earlier connection.
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
      // The parser stops at a fault, too, but after a request with `Upgrade` it does not say so.
      if (!endsHere) return Object.assign(new Error("The next request is malformed."), { bytesParsed: 0 });
      if (incoming?.upgrade === true) return taken;
    }
  };
  // Without a listener for its bytes, Node hands them from the system straight to the parser, past this function.
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
