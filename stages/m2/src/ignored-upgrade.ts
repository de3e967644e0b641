// Makes an ignored `Upgrade` change nothing about the connection. After such a request Node's parser stops, and Node drops
// the rest of what it has just read: with half of the next request lost, its body would be parsed as a request.
// https://www.rfc-editor.org/rfc/rfc9110#section-7.8

import type { Socket } from "node:net";

interface RequestParser {
  /** The last request whose head has come. */
  readonly incoming: { readonly upgrade: boolean; readonly complete: boolean } | null;
  /** Takes bytes; returns how many, or an error. */
  execute(bytes: Buffer): number | Error;
}

/**
 * Parses on after requests whose `Upgrade` is ignored, for as long as the connection lives. After each read, `onRead` is told
 * whether part of a head came; a head that begins in the same read as the message before it goes unnoticed.
 */
export function continueAfterUpgrade(
  socket: Socket & { readonly parser?: RequestParser },
  onRead: (headBegun: boolean) => void,
): void {
  const { parser } = socket;
  if (parser === undefined) return;
  // Node reuses parsers: the object itself may still hold the function of an earlier connection.
  const { execute } = Object.getPrototypeOf(parser) as RequestParser;
  parser.execute = (bytes) => {
    for (let taken = 0; ; ) {
      const { incoming: before } = parser;
      const wasComplete = before?.complete === true;
      const result = execute.call(parser, taken === 0 ? bytes : bytes.subarray(taken));
      if (typeof result !== "number") return result;
      taken += result;
      const { incoming } = parser;
      if (taken === bytes.length || socket.destroyed) {
        onRead(incoming === before && (before === null || wasComplete));
        return taken;
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
