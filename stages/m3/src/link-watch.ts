// Watches an open link to a control plane for the two ways in which it can silently become useless: nobody is at the other
// end any more, or whoever is has no table to push.

import type { Socket } from "node:net";
import WebSocket from "ws";
import type { Clock } from "./clock.ts";
import type { LinkIntake } from "./link-intake.ts";
import { defaultLivenessLimits, untilDead } from "./link-liveness.ts";

/** A snapshot follows each hello. This is how long its first bytes may take, in milliseconds: a fleet may come at once. */
const firstBytesMs = 30_000;
/** More than the pings and pongs of that time; a snapshot of any table is larger. */
const maxIdleBytes = 64;

/** Resolves with why the link is to be given up, or with undefined when `signal` aborts before that. */
export async function uselessLink(
  socket: WebSocket,
  wire: Socket,
  intake: LinkIntake,
  clock: Clock,
  signal: AbortSignal,
): Promise<string | undefined> {
  const watched = {
    bytesReceived: () => wire.bytesRead,
    // What a router sends is small. But while it reads nothing itself, it cannot hear a pong.
    graceMs: () => (intake.isPaused ? Number.POSITIVE_INFINITY : 0),
    ping: () => {
      if (socket.readyState === WebSocket.OPEN) socket.ping();
    },
  };
  const dead = untilDead(watched, clock, defaultLivenessLimits, signal).then((isDead) =>
    isDead ? "The control plane does not answer: the link is half-open" : undefined,
  );
  const silent = isSilent(wire, intake, clock, signal).then((is) =>
    is ? "The control plane sends no table" : dead,
  );
  return await Promise.race([dead, silent]);
}

/**
 * A control plane that lost its store may answer every ping, and hold a router that another one would serve. Resolves with
 * false once it has sent something: from then on, only its liveness matters.
 */
async function isSilent(
  wire: Socket,
  intake: LinkIntake,
  clock: Clock,
  signal: AbortSignal,
): Promise<boolean> {
  for (;;) {
    const before = wire.bytesRead;
    const wakeAtMs = clock.now() + firstBytesMs;
    try {
      await clock.sleep(firstBytesMs, signal);
    } catch {
      return false;
    }
    if (wire.bytesRead - before > maxIdleBytes) return false;
    // A process that stood still, or reads nothing to save time, must not blame the other end. It looks once more.
    const overslept = clock.now() - wakeAtMs > firstBytesMs / 2;
    if (!overslept && !intake.isPaused) return true;
  }
}
