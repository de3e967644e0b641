// One JSON line for each request, when it has ended. Owns the line's fields, and gathers lines so that many go out in
// one write.

import type { Clock } from "./clock.ts";

/** How a request ended: whole, cut by the client, or cut by the cell. */
export type Outcome = "complete" | "client-aborted" | "upstream-failed";

export interface AccessEntry {
  readonly requestId: string;
  readonly method: string;
  readonly path: string;
  readonly routingKey?: string;
  readonly placement?: string;
  readonly reason?: string;
  readonly upstream?: string;
  /** Placement that served, where it is another than the one routed to, and why. */
  readonly servedBy?: string | undefined;
  readonly failoverReason?: string | undefined;
  readonly retries?: number | undefined;
  /** Status sent to the client; 0 when the client left before there was one. */
  readonly status: number;
  readonly durationMs: number;
  /** Bytes of the request's body that went to the cell. */
  readonly bytesIn: number;
  /** Bytes of the answer's body that came from the cell. */
  readonly bytesOut: number;
  readonly outcome: Outcome;
  /** Error code of an answer that the router made itself, and the machine-readable cause. */
  readonly code?: string;
  readonly cause?: string;
}

export interface AccessLogOptions {
  /** Takes whole lines. */
  readonly write: (lines: string) => void;
  /** False where the log level leaves these lines out. */
  readonly enabled: boolean;
  readonly today: () => Date;
  /** Told of every entry too, such as metrics: one place knows how each request ended. */
  readonly listeners: readonly ((entry: AccessEntry) => void)[];
}

/** A line waits at most this long, and lines are written early when this many characters have come together. */
const flushEveryMs = 100;
const flushAtLength = 32 * 1024;

// #region access-log
export class AccessLog {
  readonly #options: AccessLogOptions;
  #lines = "";

  constructor(options: AccessLogOptions) {
    this.#options = options;
  }

  record(entry: AccessEntry): void {
    const { enabled, today, listeners } = this.#options;
    if (enabled) {
      this.#lines += line(entry, today());
      if (this.#lines.length >= flushAtLength) this.flush();
    }
    for (const listener of listeners) listener(entry);
  }

  /** Writes what has been gathered. */
  flush(): void {
    if (this.#lines === "") return;
    this.#options.write(this.#lines);
    this.#lines = "";
  }

  /** Writes now and then, until the process ends. */
  async run(clock: Clock, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(flushEveryMs, signal).catch(() => {});
      this.flush();
    }
  }
}

/** Only what a client or a cell may have written is escaped; names and addresses of the table are known to be plain. */
function line(entry: AccessEntry, time: Date): string {
  let text =
    `{"level":"info","time":"${time.toISOString()}","event":"request","requestId":"${entry.requestId}",` +
    `"method":"${entry.method}","path":${JSON.stringify(entry.path)}`;
  if (entry.placement !== undefined) {
    text +=
      `,"routingKey":${JSON.stringify(entry.routingKey)},"placement":"${entry.placement}",` +
      `"reason":"${entry.reason}","upstream":"${entry.upstream}"`;
  }
  if (entry.servedBy !== undefined) {
    text += `,"servedBy":"${entry.servedBy}","failoverReason":"${entry.failoverReason}"`;
  }
  if (entry.retries !== undefined) text += `,"retries":${entry.retries}`;
  text +=
    `,"status":${entry.status},"durationMs":${entry.durationMs},"bytesIn":${entry.bytesIn},` +
    `"bytesOut":${entry.bytesOut},"outcome":"${entry.outcome}"`;
  if (entry.code !== undefined) text += `,"code":"${entry.code}"`;
  if (entry.cause !== undefined) text += `,"cause":${JSON.stringify(entry.cause)}`;
  return `${text}}\n`;
}
// #endregion access-log
