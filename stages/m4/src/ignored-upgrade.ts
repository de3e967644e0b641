// Makes an ignored `Upgrade` change nothing about the connection. Behind such a request Node's parser stops, and Node drops
// what the same read brought after it: with half of the next request lost, its body would be read as a request.
// https://www.rfc-editor.org/rfc/rfc9110#section-7.8

import type { Socket } from "node:net";

interface RequestParser {
  /** The last request whose head has come. */
  readonly incoming: { readonly upgrade: boolean; readonly complete: boolean } | null;
  /** Takes bytes; returns how many, or an error. */
  execute(bytes: Buffer): number | Error;
}

/**
 * Reads on behind requests whose `Upgrade` is ignored, for as long as the connection lives. `onRead` hears of each read whether
 * it was a part of a head; one that came along with the message before it is not noticed.
 */
export function continueAfterUpgrade(
  socket: Socket & { readonly parser?: RequestParser },
  onRead: (headBegun: boolean) => void,
): void {
  const { parser } = socket;
  if (parser === undefined) return;
  // Node uses parsers again: taken from the object itself, it would be the function of the connection before.
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
      // The parser stops at a fault, too, and does not say so behind a request for another protocol.
      if (!endsHere) return Object.assign(new Error("The next request is malformed."), { bytesParsed: 0 });
      if (incoming?.upgrade === true) return taken;
    }
  };
  // Without a listener for its bytes, Node lets them pass by this function, from the system straight to the parser.
  socket.on("data", () => {});
}
