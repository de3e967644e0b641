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
} from "../protocol.ts";
import { isLostHistory } from "./history.ts";
import { KnownRouters, type RouterView } from "./known-routers.ts";
import {
  isAnswer,
  isPositionOf,
  type KnownRouter,
  type Nack,
  type Published,
  type RouterLink,
  type Wire,
} from "./router-link.ts";

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
  readonly #routers: KnownRouters;
  /** Links that are to get a snapshot, in the order in which they asked. */
  readonly #waiting = new Set<RouterLink>();
  #bytesInFlight = 0;
  #published: Published;
  #publishedAtMs: number;

  constructor(first: Published, nowMs: number, dependencies: FleetDependencies) {
    this.#published = first;
    this.#publishedAtMs = nowMs;
    this.#deps = dependencies;
    this.#routers = new KnownRouters(dependencies.maxRemembered ?? 10_000);
  }

  // #region publish
  /** Makes `published` what every router should run, and sends it to those that are free to take it. */
  publish(published: Published, nowMs: number): void {
    this.#published = published;
    this.#publishedAtMs = nowMs;
    for (const router of this.#routers.all()) {
      if (!this.#isUpToDate(router)) router.behindSinceMs ??= nowMs;
    }
    for (const link of this.#links) this.#offer(link);
  }

  /**
   * At most one unanswered snapshot per link, and no second one while a part of the first is still leaving. A router that
   * is slow gets fewer revisions, not older ones: when it has answered, it is offered the newest, and those in between
   * are never sent.
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
    const { history, frame: whole } = this.#published;
    const change =
      link.acceptsDelta && link.base !== undefined ? this.#published.deltaFrom?.(link.base) : undefined;
    const frame = change ?? whole;
    link.offered = history;
    link.unansweredBytes = frame.length;
    link.isLeaving = true;
    link.isAnswered = false;
    this.#bytesInFlight += frame.length;
    let inFlight = frame.length;
    const letOthersGo = () => {
      this.#bytesInFlight -= inFlight;
      inFlight = 0;
      this.#sendNext();
    };
    const sent = () => {
      link.isLeaving = false;
      letOthersGo();
      this.#settle(link);
    };
    link.wire.send(frame, sent, letOthersGo);
  }

  /** An answer counts once all of the snapshot has left: sent on top of it, the next one would end up inside it. */
  #settle(link: RouterLink): void {
    if (link.isLeaving || !this.#links.has(link)) return;
    if (link.isAnswered) link.unansweredBytes = 0;
    this.#offer(link);
  }

  #isOffered({ offered }: RouterLink): boolean {
    return offered !== undefined && isSamePosition(offered, this.#published.history);
  }
  // #endregion publish

  connect(wire: Wire): RouterLink {
    const link: RouterLink = { wire, unansweredBytes: 0, isLeaving: false, isAnswered: true };
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
    this.#routers.forget();
  }

  receive(link: RouterLink, message: Uint8Array, nowMs: number): void {
    const decoded = decodeFromRouter(message);
    if (!decoded.ok) return link.wire.close(closeCodes.notUnderstood, `Not understood: ${decoded.fault}`);
    const said = decoded.message;
    if (said.type === "hello") return this.#onHello(link, said, nowMs);
    const router = link.router;
    if (router === undefined) return link.wire.close(closeCodes.notUnderstood, "Say hello first");
    router.seenAtMs = nowMs;
    if (isAnswer(said, link.offered)) link.isAnswered = true;
    switch (said.type) {
      case "ack":
        this.#runs(router, said, nowMs);
        link.base = isPositionOf(said, link.offered) ? link.offered?.checksum : undefined;
        break;
      case "resync":
        // Whole, and changes again only from there: a router that cannot use one is not sent the next.
        link.base = undefined;
        if (isPositionOf(said, link.offered)) delete link.offered;
        break;
      case "nack":
        this.#routers.noteNack(router, said, nowMs);
        this.#deps.onNack(router.id, said);
        break;
      default:
        said satisfies never;
    }
    this.#settle(link);
  }

  // #region hello
  #onHello(link: RouterLink, { protocol, routerId, have, accepts }: Hello, nowMs: number): void {
    if (link.router !== undefined) return link.wire.close(closeCodes.notUnderstood, "One hello per link");
    if (protocol !== protocolVersion) {
      const reason = `Protocol ${protocol} is not spoken here, only ${protocolVersion}`;
      return link.wire.close(closeCodes.protocolVersion, reason);
    }
    const router = this.#routers.named(routerId, nowMs);
    router.links.add(link);
    router.seenAtMs = nowMs;
    link.router = router;
    link.acceptsDelta = accepts?.includes("delta") ?? false;
    link.base = have?.checksum;
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
    return this.#routers.view(nowMs);
  }
}
