// One router's link, from the open WebSocket to its end: hands messages to the fleet and takes away what it sends, and
// gives up a link whose router is gone, says nothing, or does not read.

import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import type { Clock } from "../clock.ts";
import { defaultLivenessLimits, untilDead } from "../link-liveness.ts";
import { closeCodes, closeReason } from "../protocol.ts";
import type { Fleet } from "./fleet.ts";
import { SnapshotSender } from "./snapshot-sender.ts";

/**
 * The slowest line that a router may have, 256 kB per second. The system takes a snapshot long before such a line has
 * carried it, and a ping waits behind it: without this, a link at work would look dead, be cut, and begin again.
 */
const minBytesPerMs = 256;

/** Time from the open link to `hello`. */
const helloTimeoutMs = 10_000;

export interface LinkDependencies {
  readonly fleet: Fleet;
  readonly clock: Clock;
  /** Told of a half-open link before it is cut; undefined when its router has not said who it is. */
  readonly onDeadLink: (routerId: string | undefined) => void;
}

// #region link
export function runLink(socket: WebSocket, wire: Socket, dependencies: LinkDependencies): void {
  const { fleet, clock, onDeadLink } = dependencies;
  const ended = new AbortController();
  const sender = new SnapshotSender(socket, clock);
  const link = fleet.connect({
    say: (text) => socket.send(text),
    send: (frame, sent, stalled) => void sender.send(frame, sent, stalled),
    close: (code, reason) => socket.close(code, closeReason(reason)),
  });
  socket.on("message", (data: Buffer, isBinary) => {
    if (isBinary) socket.close(closeCodes.notUnderstood, "A binary message");
    else fleet.receive(link, data, clock.now());
  });
  // An error is always followed by the close.
  socket.on("error", () => {});
  socket.once("close", () => {
    ended.abort();
    fleet.disconnect(link, clock.now());
  });
  const watched = {
    bytesReceived: () => wire.bytesRead,
    graceMs: () => link.unansweredBytes / minBytesPerMs,
    ping: () => {
      if (socket.readyState === socket.OPEN) socket.ping();
    },
  };
  untilDead(watched, clock, defaultLivenessLimits, ended.signal).then((dead) => {
    if (!dead) return;
    onDeadLink(link.router?.id);
    socket.terminate();
  });
  clock.sleep(helloTimeoutMs, ended.signal).then(
    () => {
      if (link.router === undefined) socket.close(closeCodes.helloTimeout, "No hello in time");
    },
    () => {},
  );
}
// #endregion link
