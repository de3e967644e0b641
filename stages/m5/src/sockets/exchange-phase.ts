// The phases of an exchange. It is in one of them at a time, and what holds in one phase only stands in that phase:
//
//   deciding ─▶ an attempt ─▶ finishing ─▶ ended        a cell's response
//      ▲            │
//      └────────────┘ failed, or its response discarded
//   deciding ─▶ ended                                   a response of the router's own
//   any of them ─▶ gone

import type { Attempt } from "./attempt.ts";

export type Phase =
  /** No cell has the request: its owner attempts or responds, now or later. */
  | "deciding"
  /** A cell has the request, or is about to get it. */
  | Attempt
  /** The cell's response is whole; the system has yet to take the last of it. */
  | "finishing"
  /** The response is out: nothing more is owed to the client. */
  | "ended"
  /** The client has left, or was cut off: nothing that is done here reaches it. */
  | "gone";
