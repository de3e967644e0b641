// A router and a link to it as the fleet sees them: what is sent over the link, and what is known of what was sent.

import type { Position, RouterMessage } from "../protocol.ts";
import type { History } from "./history.ts";

/** A snapshot ready to go out: encoded once, however many routers get it. */
export interface Published {
  readonly history: History;
  readonly frame: Uint8Array;
}

/** The way to one router, as far as the fleet cares. */
export interface Wire {
  /** A short message. */
  say(text: string): void;
  /**
   * A snapshot. `sent` is called once, when all of it has left or the link has broken; before that, `stalled` is called
   * while the router takes nothing of it.
   */
  send(frame: Uint8Array, sent: () => void, stalled: () => void): void;
  close(code: number, reason: string): void;
}

export type Nack = Extract<RouterMessage, { type: "nack" }>;

/** What is known of one router. */
export interface KnownRouter {
  readonly id: string;
  readonly links: Set<RouterLink>;
  runs: { readonly epoch: string; readonly revision: number } | null;
  behindSinceMs: number | undefined;
  lastNack: { readonly nack: Nack; readonly atMs: number } | undefined;
  seenAtMs: number;
}

/** One open link. Without a `router` it has not said hello yet. */
export interface RouterLink {
  readonly wire: Wire;
  router?: KnownRouter;
  /** The last position sent over this link. Nothing is sent twice: a link delivers, or it breaks. */
  offered?: Position;
  /** Size of the snapshot that the router has not answered; 0 when it has answered all. */
  unansweredBytes: number;
  /** A part of it has not left yet. */
  isLeaving: boolean;
  /** The router has answered it. */
  isAnswered: boolean;
}

/**
 * Whether a router speaks of the snapshot on its link, and not of what came before it. A later revision is an answer, too:
 * the router had no use for what came.
 */
export function isAnswer(said: Pick<Position, "epoch" | "revision">, offered: Position | undefined): boolean {
  return said.epoch === offered?.epoch && said.revision >= offered.revision;
}
