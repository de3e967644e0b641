// The router's link to its control plane: connects, says hello, hands on what comes, and comes back when the link ends.
// Nothing waits for it: the router serves from memory whether this link is up, down, or talking nonsense.

import type { Socket } from "node:net";
import type { Logger } from "pino";
import type WebSocket from "ws";
import { type BackoffSettings, nextDelayMs } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import { ControlPlaneUrls } from "./control-plane-urls.ts";
import type { IntakeBudget } from "./intake-budget.ts";
import { type Incoming, LinkIntake } from "./link-intake.ts";
import { openLinkSocket } from "./link-socket.ts";
import { uselessLink } from "./link-watch.ts";
import { closeCodes, closeReason, encode } from "./protocol.ts";
import type { Link, SnapshotReceiver } from "./snapshot-receiver.ts";

/** One second to a minute: a fleet whose control plane comes back spreads over the wait instead of arriving at once. */
const reconnectBackoff: BackoffSettings = { baseMs: 1_000, capMs: 60_000 };

export interface ControlPlaneClientDependencies {
  /** At least one, such as `ws://127.0.0.1:8081/v1/connect`; all of them push the same table. */
  readonly urls: readonly string[];
  /** Read for each link, so that a token may come later than the router, or change. Must not reject. */
  readonly readToken: () => Promise<string | undefined>;
  readonly routerId: string;
  readonly receiver: SnapshotReceiver;
  /** Told of each message whose snapshot has been applied, before the acknowledgement goes out. Must not block. */
  readonly onApplied: (message: Uint8Array) => void;
  /** A larger message ends the link. */
  readonly maxMessageBytes: number;
  /** Shared by all links, one after the other: a new link is no new budget. */
  readonly budget: IntakeBudget;
  readonly clock: Clock;
  readonly random: () => number;
  /** The date, for people; intervals come from `clock`. */
  readonly wallClock: () => Date;
  readonly logger: Logger;
  /** How long the table that the router starts with may be out of date already, in milliseconds. @default 0 */
  readonly staleForMs?: number;
}

/** What `/debug/config` shows of the link. */
export interface LinkStatus {
  /** The control plane of the present link, or of the next attempt. */
  readonly url: string;
  readonly connected: boolean;
  /** Since the control plane last confirmed that this router's table is the newest. */
  readonly stalenessSeconds: number;
  /** What went wrong last; null once a later link has brought the router up to date. */
  readonly lastError: { readonly at: string; readonly faults: readonly string[] } | null;
}

export class ControlPlaneClient {
  readonly #deps: ControlPlaneClientDependencies;
  readonly #stop = new AbortController();
  readonly #urls: ControlPlaneUrls;
  #running: Promise<void> = Promise.resolve();
  #connected = false;
  #upToDate = false;
  #confirmedAtMs: number;
  #lastError: LinkStatus["lastError"] = null;
  /** Why the present link ends: the first reason, because others only follow from it. */
  #ending: string | undefined;

  constructor(dependencies: ControlPlaneClientDependencies) {
    this.#deps = dependencies;
    this.#urls = new ControlPlaneUrls(dependencies.urls, dependencies.random);
    this.#confirmedAtMs = dependencies.clock.now() - (dependencies.staleForMs ?? 0);
  }

  /** Starts connecting, and returns at once. */
  start(): void {
    this.#running = this.#run();
  }

  /** Ends the link, and resolves when it has ended. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  status(): LinkStatus {
    const stalenessSeconds = Math.round(this.#deps.clock.now() - this.#confirmedAtMs) / 1000;
    return {
      url: this.#urls.current,
      connected: this.#connected,
      stalenessSeconds,
      lastError: this.#lastError,
    };
  }

  // #region reconnect
  async #run(): Promise<void> {
    const { clock, random, logger } = this.#deps;
    const signal = this.#stop.signal;
    let failures = 0;
    while (!signal.aborted) {
      // A link that only connects has proven nothing: a control plane that accepts and falls over would be hammered.
      const proven = await this.#link();
      if (signal.aborted) return;
      if (proven) failures = 0;
      const url = this.#urls.leave();
      const delayMs = Math.round(nextDelayMs(failures++, random, reconnectBackoff));
      const cause = this.#lastError?.faults[0];
      logger.warn({ event: "control-plane-lost", url, cause, retryInMs: delayMs });
      await clock.sleep(delayMs, signal).catch(() => {});
    }
  }
  // #endregion reconnect

  // #region link
  /** One link from connect to close. Resolves with whether it brought the router up to date. Never rejects. */
  async #link(): Promise<boolean> {
    const { receiver, routerId, logger, maxMessageBytes, clock, budget } = this.#deps;
    const token = await this.#deps.readToken();
    if (this.#stop.signal.aborted) return false;
    this.#ending = undefined;
    const url = this.#urls.current;
    const onFault = (words: string): void => this.#fail(words);
    const { socket, closed } = openLinkSocket({ url, token, maxMessageBytes, clock, onFault });
    const link = receiver.openLink();
    const ended = new AbortController();
    const outcome = { proven: false };
    const take = async (message: Incoming): Promise<void> => {
      if (await this.#take(socket, link, message)) outcome.proven = true;
    };
    const intake = new LinkIntake(socket, { clock, budget, take, ended: ended.signal });
    let wire: Socket | undefined;
    socket.once("upgrade", (response) => {
      wire = response.socket;
    });
    socket.once("open", () => {
      if (wire !== undefined) {
        intake.measure(wire);
        void this.#watch(socket, wire, intake, ended.signal);
      }
      this.#connected = true;
      logger.info({ event: "control-plane-connected", url });
      socket.send(encode(receiver.hello(routerId)));
    });
    socket.on("pong", () => this.#confirm());
    const stop = () => {
      link.open = false;
      socket.close(closeCodes.goingAway, "The router stops");
    };
    this.#stop.signal.addEventListener("abort", stop);
    await closed;
    this.#stop.signal.removeEventListener("abort", stop);
    ended.abort();
    link.open = false;
    this.#connected = false;
    this.#upToDate = false;
    // What is still being validated ends before the next link begins.
    await intake.finished();
    return outcome.proven;
  }
  // #endregion link

  /** Resolves with whether the message showed this router to be up to date. Never rejects. */
  async #take(socket: WebSocket, link: Link, { data: message, isBinary }: Incoming): Promise<boolean> {
    if (isBinary) return this.#refuse(socket, link, "A binary message");
    const received = await this.#deps.receiver.receive(message, link).catch((error: Error) => {
      return { kind: "fault", fault: error.message } as const;
    });
    switch (received.kind) {
      case "reply": {
        const { reply, outcome, words } = received;
        this.#upToDate = received.upToDate;
        if (received.upToDate) this.#lastError = null;
        if (reply.type === "nack") this.#lastError = { at: this.#timestamp(), faults: reply.reasons };
        this.#confirm();
        const level = outcome === "refused" ? "error" : "info";
        if (outcome === "applied") this.#deps.onApplied(message);
        else this.#deps.logger[level]({ event: `snapshot-${outcome}`, words });
        socket.send(encode(reply));
        return received.upToDate;
      }
      case "fault":
        return this.#refuse(socket, link, received.fault);
      case "void":
        return false;
      default:
        return received satisfies never;
    }
  }

  /** Ends a link on which something came that is not of this protocol. A new one starts from a clean hello. */
  #refuse(socket: WebSocket, link: Link, fault: string): false {
    if (!link.open) return false;
    link.open = false;
    const words = `Not understood: ${fault}`;
    this.#fail(words);
    socket.close(closeCodes.notUnderstood, closeReason(words));
    return false;
  }

  async #watch(socket: WebSocket, wire: Socket, intake: LinkIntake, signal: AbortSignal): Promise<void> {
    const why = await uselessLink(socket, wire, intake, this.#deps.clock, signal);
    if (why === undefined) return;
    this.#fail(why);
    socket.terminate();
  }

  #confirm(): void {
    if (this.#upToDate) this.#confirmedAtMs = this.#deps.clock.now();
  }

  #timestamp(): string {
    return this.#deps.wallClock().toISOString();
  }

  #fail(words: string): void {
    this.#ending ??= words;
    this.#lastError = { at: this.#timestamp(), faults: [this.#ending] };
  }
}
