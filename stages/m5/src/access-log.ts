// One JSON line for each request, when it has ended. Owns the line's fields, and gathers lines so that many go out in
// one write.

import type { Clock } from "./clock.ts";
import type { FaultReport } from "./sockets/fault-report.ts";

/** How a request ended: whole, cut by the client, or cut by the cell. */
export type Outcome = "complete" | "client-aborted" | "upstream-failed";

export interface AccessEntry {
  readonly requestId: string;
  readonly method: string;
  readonly path: string;
  readonly routingKey?: string | undefined;
  readonly placement?: string | undefined;
  readonly reason?: string | undefined;
  readonly upstream?: string | undefined;
  /** `decisionText` of the three before, where they come ready for the log. */
  readonly decisionText?: string | undefined;
  /** Placement that served, where it is another than the one routed to, and why. */
  readonly servedBy?: string | undefined;
  readonly failoverReason?: string | undefined;
  readonly retries?: number | undefined;
  /** Status sent to the client; 0 when the client left before there was one. */
  readonly status: number;
  readonly durationMs: number;
  /** Bytes of the request's body that went to the cell. */
  readonly bytesIn: number;
  /** Bytes of the response's body that came from the cell. */
  readonly bytesOut: number;
  readonly outcome: Outcome;
  /** Error code of a response that the router made itself, and the machine-readable cause. */
  readonly code?: string | undefined;
  readonly cause?: string | undefined;
}

export interface AccessLogOptions {
  /** Takes whole lines. */
  readonly write: (lines: string) => void;
  /** False where the log level leaves these lines out. */
  readonly enabled: boolean;
  readonly wallClock: () => Date;
  /** Told of every entry too, such as metrics: one place knows how each request ended. */
  readonly listeners: readonly ((entry: AccessEntry) => void)[];
  readonly report: FaultReport;
}

/** A line waits at most this long, and lines are written early when this many characters have come together. */
const flushEveryMs = 100;
const flushAtLength = 32 * 1024;

// #region access-log
export class AccessLog {
  readonly #options: AccessLogOptions;
  #lines = "";
  #timeMs = Number.NaN;
  #time = "";

  constructor(options: AccessLogOptions) {
    this.#options = options;
  }

  /** Never throws: what goes wrong here costs a line, and no request. */
  record(entry: AccessEntry): void {
    const { enabled, wallClock, listeners, report } = this.#options;
    try {
      if (enabled) this.#lines += line(entry, this.#timeText(wallClock()));
    } catch (error) {
      report(error);
    }
    if (this.#lines.length >= flushAtLength) this.flush();
    for (const listener of listeners) {
      try {
        listener(entry);
      } catch (error) {
        report(error);
      }
    }
  }

  /** Writes what has been gathered. Never throws. */
  flush(): void {
    if (this.#lines === "") return;
    const lines = this.#lines;
    this.#lines = "";
    try {
      this.#options.write(inOnePiece(lines));
    } catch (error) {
      this.#options.report(error);
    }
  }

  /** Many requests end in one millisecond; its text is made once. */
  #timeText(time: Date): string {
    const timeMs = time.getTime();
    if (timeMs !== this.#timeMs) {
      this.#timeMs = timeMs;
      this.#time = time.toISOString();
    }
    return this.#time;
  }

  /** Writes now and then, until the process ends. */
  async run(clock: Clock, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(flushEveryMs, signal).catch(() => {});
      this.flush();
    }
  }
}

/**
 * The same lines, joined in memory as well. V8 keeps a sum of strings as its parts, and a part as a view of what it was
 * cut from: lines that wait for a slow reader would each keep a whole request head. Looking at a character joins them.
 */
function inOnePiece(lines: string): string {
  return lines.charCodeAt(0) === 0x7b ? lines : "";
}

/** What the log says of one decision: the same for every request that it serves. */
export function decisionText(placement: string, reason: string, upstream: string): string {
  return `,"placement":"${placement}","reason":"${reason}","upstream":"${upstream}"`;
}

/** Only what a client or a cell may have written is escaped; names and addresses of the table are known to be plain. */
function line(entry: AccessEntry, time: string): string {
  let text =
    `{"level":"info","time":"${time}","event":"request","requestId":"${entry.requestId}",` +
    `"method":"${entry.method}","path":${quoted(entry.path)}`;
  const { placement, reason = "", upstream = "" } = entry;
  if (placement !== undefined) {
    text += `,"routingKey":${quoted(entry.routingKey ?? "")}`;
    text += entry.decisionText ?? decisionText(placement, reason, upstream);
  }
  if (entry.servedBy !== undefined) {
    text += `,"servedBy":"${entry.servedBy}","failoverReason":"${entry.failoverReason}"`;
  }
  if (entry.retries !== undefined) text += `,"retries":${entry.retries}`;
  text +=
    `,"status":${entry.status},"durationMs":${milliseconds(entry.durationMs)},"bytesIn":${entry.bytesIn},` +
    `"bytesOut":${entry.bytesOut},"outcome":"${entry.outcome}"`;
  if (entry.code !== undefined) text += `,"code":"${entry.code}"`;
  if (entry.cause !== undefined) text += `,"cause":${quoted(entry.cause)}`;
  return `${text}}\n`;
}

/** `text` in JSON. Almost every one is plain, and a look is cheaper than a copy. */
function quoted(text: string): string {
  return /^[ !#-[\]-~]*$/.test(text) ? `"${text}"` : JSON.stringify(text);
}

/** To the microsecond. Printing two whole numbers is several times cheaper than printing a fraction. */
function milliseconds(ms: number): string {
  const whole = Math.floor(ms);
  const microseconds = Math.round((ms - whole) * 1000);
  if (microseconds === 1000) return `${whole + 1}`;
  return microseconds === 0 ? `${whole}` : `${whole}.${`${microseconds + 1000}`.slice(1)}`;
}
// #endregion access-log
