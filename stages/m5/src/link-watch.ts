// Watches an open link to a control plane for the two ways in which it can be of no use while nothing says so: nobody is at
// the other end any more, or somebody is who has no table to push.

import type { Socket } from "node:net";
import WebSocket from "ws";
import type { Clock } from "./clock.ts";
import type { LinkIntake } from "./link-intake.ts";
import { defaultLivenessLimits, untilDead } from "./link-liveness.ts";

/** A snapshot follows each hello. This is how long its first bytes may take, in milliseconds: a fleet may come at once. */
const firstBytesMs = 30_000;
/** More than the pongs of that time; a snapshot of any table is larger. */
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
  return await Promise.race([dead, untilSilent(wire, clock, signal)]);
}

/** A control plane that lost its store may answer every ping, and hold a router that another one would serve. */
async function untilSilent(wire: Socket, clock: Clock, signal: AbortSignal): Promise<string | undefined> {
  const before = wire.bytesRead;
  const wakeAtMs = clock.now() + firstBytesMs;
  const isAborted = await clock.sleep(firstBytesMs, signal).then(
    () => false,
    () => true,
  );
  if (isAborted) return undefined;
  // A process that itself stood still has not looked at its socket.
  const overslept = clock.now() - wakeAtMs > firstBytesMs / 2;
  if (!overslept && wire.bytesRead - before <= maxIdleBytes) return "The control plane sends no table";
  // It has spoken: whether it lives is all that matters from here.
  return await new Promise(() => {});
}
