// State changes as server-sent events, for whoever watches this router: breakers, health, tables, and, while somebody
// watches, a sample of decisions. Losing an event to a slow watcher is fine; holding a request up for one is not.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { AccessEntry } from "./access-log.ts";
import type { Clock } from "./clock.ts";

export type RouterEvent =
  | { readonly type: "breaker"; readonly placement: string; readonly to: string; readonly from: string }
  | { readonly type: "health"; readonly placement: string; readonly to: string; readonly from: string }
  | { readonly type: "table"; readonly version: string; readonly sequence: number }
  | {
      readonly type: "decision";
      readonly placement: string;
      readonly servedBy: string;
      readonly status: number;
      readonly failoverReason?: string | undefined;
      readonly retries: number;
    };

export interface EventsOptions {
  readonly clock: Clock;
  readonly wallClock: () => Date;
}

const maxWatchers = 16;
/** Events kept for a watcher that comes later, or comes back. */
const kept = 100;
/** A sample to look at, not a log. */
const maxDecisionsPerSecond = 20;
const heartbeatMs = 15_000;
const maxBufferedBytes = 256 * 1024;

// #region events
export class Events {
  readonly #options: EventsOptions;
  readonly #watchers = new Set<ServerResponse>();
  readonly #recent: { readonly id: number; readonly text: string }[] = [];
  readonly #closing = new AbortController();
  #lastId = 0;
  #second = 0;
  #decisions = 0;
  #beating = false;

  constructor(options: EventsOptions) {
    this.#options = options;
  }

  /** Sends `event` to all watchers, and keeps all but decisions for those who come later. */
  emit(event: RouterEvent): void {
    const id = ++this.#lastId;
    const data = JSON.stringify({ time: this.#options.wallClock().toISOString(), ...event });
    const text = `id: ${id}\nevent: ${event.type}\ndata: ${data}\n\n`;
    if (event.type !== "decision") {
      this.#recent.push({ id, text });
      if (this.#recent.length > kept) this.#recent.shift();
    }
    for (const watcher of this.#watchers) this.#send(watcher, text);
  }

  /** Shows one ended request, while somebody watches. */
  readonly requestEnded = ({ placement, servedBy, status, failoverReason, retries }: AccessEntry): void => {
    if (this.#watchers.size === 0 || placement === undefined || !this.#takesDecision()) return;
    const decision = {
      placement,
      servedBy: servedBy ?? placement,
      status,
      failoverReason,
      retries: retries ?? 0,
    };
    this.emit({ type: "decision", ...decision });
  };

  /**
   * Streams events to one watcher: first those that it missed.
   * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
   */
  readonly watch = (req: IncomingMessage, res: ServerResponse): void => {
    if (this.#watchers.size >= maxWatchers) {
      res.writeHead(503, { "Retry-After": "5", "Content-Length": 0 });
      res.end();
      return;
    }
    res.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    if (req.method === "HEAD") return void res.end();
    const lastSeen = Number(req.headers["last-event-id"] ?? 0) || 0;
    // Higher than any id so far: it comes from before this router's restart, and the watcher has seen none of these events.
    const seen = lastSeen > this.#lastId ? 0 : lastSeen;
    res.write("retry: 2000\n\n");
    for (const { id, text } of this.#recent) if (id > seen) res.write(text);
    this.#watchers.add(res);
    if (!this.#beating) void this.#beat();
    res.once("close", () => this.#watchers.delete(res));
  };

  /** Ends all streams. */
  close(): void {
    this.#closing.abort();
    for (const watcher of this.#watchers) watcher.end();
    this.#watchers.clear();
  }

  #send(watcher: ServerResponse, text: string): void {
    if (watcher.writableLength > maxBufferedBytes) watcher.destroy();
    else watcher.write(text);
  }

  #takesDecision(): boolean {
    const second = Math.floor(this.#options.clock.now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#decisions = 0;
    }
    this.#decisions += 1;
    return this.#decisions <= maxDecisionsPerSecond;
  }

  /** Sends a comment now and then, while anybody watches: that finds watchers that are gone. */
  async #beat(): Promise<void> {
    this.#beating = true;
    try {
      while (this.#watchers.size > 0) {
        await this.#options.clock.sleep(heartbeatMs, this.#closing.signal);
        for (const watcher of this.#watchers) this.#send(watcher, ": still here\n\n");
      }
    } catch (error) {
      if (!this.#closing.signal.aborted) throw error;
    } finally {
      this.#beating = false;
    }
  }
}
// #endregion events
