// The routers as the control plane knows them: who is linked, what each one runs, and what to send it next.
// No sockets and no timers: `server.ts` brings messages and takes away what is to be sent. Time is an argument.

import {
  closeCodes,
  decodeFromRouter,
  encode,
  type Hello,
  isSamePosition,
  type Position,
  protocolVersion,
  type RouterMessage,
} from "../protocol.ts";
import { type History, isLostHistory } from "./history.ts";

/** A snapshot ready to go out: encoded once, however many routers get it. */
export interface Published {
  readonly history: History;
  readonly frame: Uint8Array;
}

/** The way to one router, as far as the fleet cares. */
export interface Wire {
  /** A short message. */
  say(text: string): void;
  /** A snapshot. `done` is called once: when it has left, or when there is no use in waiting for that any longer. */
  send(frame: Uint8Array, done: () => void): void;
  close(code: number, reason: string): void;
}

/** What an operator sees of a router. Ages are in seconds. */
export interface RouterView {
  readonly id: string;
  readonly connected: boolean;
  /** More than one: the router has just come back and its old link is not yet known to be dead, or two share an id. */
  readonly connections: number;
  /** What the router said last that it runs. */
  readonly epoch: string | null;
  readonly revision: number | null;
  /** Since when the router runs something else than the newest revision; 0 when it is up to date. */
  readonly lagSeconds: number;
  readonly lastNack: {
    readonly epoch: string;
    readonly revision: number;
    readonly reasons: readonly string[];
    readonly secondsAgo: number;
  } | null;
  /** Since the router was last heard of. */
  readonly seenSecondsAgo: number;
}

type Nack = Extract<RouterMessage, { type: "nack" }>;

interface KnownRouter {
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
}

export interface FleetDependencies {
  /** A router has what this store cannot account for. Publish a new epoch, if that is still so. */
  readonly onLostHistory: (have: Position) => void;
  readonly onNack: (routerId: string, nack: Nack) => void;
  /** @default 33554432 */
  readonly maxBytesInFlight?: number;
  /** Routers without a link that are still listed; the one unseen for longest is forgotten first. @default 10000 */
  readonly maxRemembered?: number;
}

export class Fleet {
  readonly #deps: FleetDependencies;
  readonly #links = new Set<RouterLink>();
  readonly #routers = new Map<string, KnownRouter>();
  /** Links that are to get a snapshot, in the order in which they asked. */
  readonly #waiting = new Set<RouterLink>();
  #bytesInFlight = 0;
  #published: Published;
  #publishedAtMs: number;

  constructor(first: Published, nowMs: number, dependencies: FleetDependencies) {
    this.#published = first;
    this.#publishedAtMs = nowMs;
    this.#deps = dependencies;
  }

  // #region publish
  /** Makes `published` what every router should run, and sends it to those that are free to take it. */
  publish(published: Published, nowMs: number): void {
    this.#published = published;
    this.#publishedAtMs = nowMs;
    for (const router of this.#routers.values()) {
      if (!this.#isUpToDate(router)) router.behindSinceMs ??= nowMs;
    }
    for (const link of this.#links) this.#offer(link);
  }

  /**
   * At most one unanswered snapshot a link. A router that is slow gets fewer revisions and not later ones: when it has
   * answered, it is offered the newest, and those in between are never sent.
   */
  #offer(link: RouterLink): void {
    if (link.router === undefined || link.unansweredBytes > 0 || this.#isOffered(link)) return;
    this.#waiting.add(link);
    this.#sendNext();
  }

  /**
   * Sends to as many links as `maxBytesInFlight` allows, the others wait. Sent to all at once, a large table would
   * reach the first router as late as the last one, and pings would wait behind it until healthy links look dead.
   */
  #sendNext(): void {
    const { maxBytesInFlight = 32 * 1024 * 1024 } = this.#deps;
    for (const link of this.#waiting) {
      if (this.#bytesInFlight >= maxBytesInFlight) return;
      this.#waiting.delete(link);
      // The newest by now, whatever it was when the link began to wait.
      if (!this.#isOffered(link)) this.#send(link);
    }
  }

  #send(link: RouterLink): void {
    const { history, frame } = this.#published;
    link.offered = history;
    link.unansweredBytes = frame.length;
    this.#bytesInFlight += frame.length;
    link.wire.send(frame, () => {
      this.#bytesInFlight -= frame.length;
      this.#sendNext();
    });
  }

  #isOffered({ offered }: RouterLink): boolean {
    return offered !== undefined && isSamePosition(offered, this.#published.history);
  }
  // #endregion publish

  connect(wire: Wire): RouterLink {
    const link: RouterLink = { wire, unansweredBytes: 0 };
    this.#links.add(link);
    return link;
  }

  disconnect(link: RouterLink, nowMs: number): void {
    this.#links.delete(link);
    this.#waiting.delete(link);
    const router = link.router;
    if (router === undefined) return;
    router.links.delete(link);
    router.seenAtMs = nowMs;
    this.#forget();
  }

  receive(link: RouterLink, message: Uint8Array, nowMs: number): void {
    const decoded = decodeFromRouter(message);
    if (!decoded.ok) return link.wire.close(closeCodes.notUnderstood, `Not understood: ${decoded.fault}`);
    const said = decoded.message;
    if (said.type === "hello") return this.#onHello(link, said, nowMs);
    const router = link.router;
    if (router === undefined) return link.wire.close(closeCodes.notUnderstood, "Say hello first");
    router.seenAtMs = nowMs;
    link.unansweredBytes = 0;
    switch (said.type) {
      case "ack":
        this.#runs(router, said, nowMs);
        break;
      case "nack":
        router.lastNack = { nack: said, atMs: nowMs };
        this.#deps.onNack(router.id, said);
        break;
      default:
        said satisfies never;
    }
    this.#offer(link);
  }

  // #region hello
  #onHello(link: RouterLink, { protocol, routerId, have }: Hello, nowMs: number): void {
    if (link.router !== undefined) return link.wire.close(closeCodes.notUnderstood, "Only one hello a link");
    if (protocol !== protocolVersion) {
      const reason = `Protocol ${protocol} is not spoken here, only ${protocolVersion}`;
      return link.wire.close(closeCodes.protocolVersion, reason);
    }
    const router = this.#routers.get(routerId) ?? newRouter(routerId, nowMs);
    this.#routers.set(routerId, router);
    router.links.add(link);
    router.seenAtMs = nowMs;
    link.router = router;
    this.#runs(router, have, nowMs);
    const { history } = this.#published;
    if (have !== null && isSamePosition(have, history)) {
      link.offered = history;
      const { epoch, revision, checksum } = history;
      return link.wire.say(encode({ type: "current", epoch, revision, checksum }));
    }
    // The router would ignore a snapshot from before what it has; the new epoch will be offered when it is published.
    if (have !== null && isLostHistory(history, have)) return this.#deps.onLostHistory(have);
    this.#offer(link);
  }
  // #endregion hello

  #runs(router: KnownRouter, position: KnownRouter["runs"], nowMs: number): void {
    router.runs = position === null ? null : { epoch: position.epoch, revision: position.revision };
    if (!this.#isUpToDate(router)) router.behindSinceMs ??= Math.min(nowMs, this.#publishedAtMs);
    else router.behindSinceMs = undefined;
  }

  #isUpToDate({ runs }: KnownRouter): boolean {
    const { epoch, revision } = this.#published.history;
    return runs?.epoch === epoch && runs.revision === revision;
  }

  view(nowMs: number): RouterView[] {
    const seconds = (sinceMs: number) => Math.round(nowMs - sinceMs) / 1000;
    return [...this.#routers.values()].map(({ id, links, runs, behindSinceMs, lastNack, seenAtMs }) => ({
      id,
      connected: links.size > 0,
      connections: links.size,
      epoch: runs?.epoch ?? null,
      revision: runs?.revision ?? null,
      lagSeconds: behindSinceMs === undefined ? 0 : seconds(behindSinceMs),
      lastNack:
        lastNack === undefined
          ? null
          : {
              epoch: lastNack.nack.epoch,
              revision: lastNack.nack.revision,
              reasons: lastNack.nack.reasons,
              secondsAgo: seconds(lastNack.atMs),
            },
      seenSecondsAgo: seconds(seenAtMs),
    }));
  }

  #forget(): void {
    const max = this.#deps.maxRemembered ?? 10_000;
    if (this.#routers.size <= max) return;
    const unlinked = [...this.#routers.values()].filter((router) => router.links.size === 0);
    if (unlinked.length <= max) return;
    unlinked.sort((a, b) => a.seenAtMs - b.seenAtMs);
    for (const { id } of unlinked.slice(0, unlinked.length - max)) this.#routers.delete(id);
  }
}

function newRouter(id: string, nowMs: number): KnownRouter {
  return { id, links: new Set(), runs: null, behindSinceMs: undefined, lastNack: undefined, seenAtMs: nowMs };
}
