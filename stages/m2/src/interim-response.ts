// Interim responses (1xx), which a cell may send ahead of the final one: which of them the client gets, and with which
// fields.

import type { ServerResponse } from "node:http";
import { endToEnd, ownedDownstream, type RawHeaders } from "./headers.ts";

/** What an interim response must not bring: framing, and what the router vouches for on the final response. */
const interimOwned: ReadonlySet<string> = new Set(["content-length", "trailer", ...ownedDownstream]);

export function forwardInterim(res: ServerResponse, status: number, raw: RawHeaders): void {
  // The router has responded to the client's expectation itself, and an HTTP/1.0 client knows no interim responses.
  // https://www.rfc-editor.org/rfc/rfc9110#section-15.2
  if (status === 100 || res.req.httpVersion !== "1.1") return;
  res.writeInformation(status, endToEnd(raw, interimOwned));
}
