// Writes a log that nothing waits for: neither a request nor the end of the process. Decides when to write and what an
// error means. The lines that wait are in `log-buffer.ts`; how bytes reach a file descriptor is in `log-target.ts`.

import { setImmediate as endOfTurn } from "node:timers/promises";
import type { Clock } from "./clock.ts";
import { LogBuffer } from "./log-buffer.ts";
import type { LogTarget } from "./log-target.ts";

export interface LogWriterOptions {
  readonly target: LogTarget;
  readonly clock: Clock;
  /** Makes the line that says how many lines are missing where it stands. */
  readonly notice: (dropped: number) => string;
  /** Memory for lines that wait, in bytes. @default 16777216 */
  readonly maxBytes?: number;
}

/** Lines of this many milliseconds go out together, because a write costs as much as making a line. */
const gatherMs = 10;
/** While the reader is behind, the pause between two attempts doubles from 1 ms up to this. */
const maxBusyMs = 50;
/** Pause after an error, in milliseconds. */
const retryMs = 1_000;

/** Somebody may make room, so lines wait. After any other error, such as a closed terminal, nobody will read them. */
const noRoom: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

const newline = Buffer.from("\n");

export class LogWriter {
  readonly #options: LogWriterOptions;
  readonly #buffer: LogBuffer;
  readonly #ending = new AbortController();
  /** Half a line may stand before the next one: ours, or that of another process which writes to the same file. */
  #torn = false;
  #busyMs = 1;
  #writing = false;
  #running: Promise<void> | undefined;

  constructor(options: LogWriterOptions) {
    this.#options = options;
    this.#buffer = new LogBuffer(options.maxBytes ?? 16 * 1024 * 1024, options.notice);
  }

  /** Lines dropped since the start. */
  get dropped(): number {
    return this.#buffer.dropped;
  }

  /** Takes one or more whole lines. Never waits and never throws. */
  write(lines: string): void {
    this.#buffer.add(lines);
    this.#running ??= this.#run();
  }

  /**
   * Writes what waits, for at most `deadlineMs`, and drops the rest. Resolves with false when a write still holds a thread,
   * which `process.exit` would wait for.
   */
  async end(deadlineMs: number): Promise<boolean> {
    this.#ending.abort();
    const done = new AbortController();
    const late = this.#options.clock.sleep(deadlineMs, done.signal).catch(() => {});
    await Promise.race([this.#running, late]);
    done.abort();
    this.#buffer.close();
    return !this.#writing;
  }

  /** Writes for as long as lines come. Never rejects. */
  async #run(): Promise<void> {
    await endOfTurn();
    while (this.#buffer.hasLines()) {
      try {
        await this.#writePiece();
        this.#busyMs = 1;
      } catch (error) {
        await this.#onError(error);
        continue;
      }
      if (this.#buffer.hasLines()) continue;
      this.#buffer.mentionDropped();
      if (!this.#buffer.hasLines()) await this.#pause(gatherMs);
    }
    this.#running = undefined;
  }

  async #writePiece(): Promise<void> {
    const { pieceBytes, isFile } = this.#options.target;
    if (this.#torn) await this.#send(newline, 0, 1);
    this.#torn = false;
    const { bytes, start, length } = this.#buffer.nextPiece(pieceBytes);
    const sentBytes = await this.#send(bytes, start, length);
    this.#buffer.advance(sentBytes);
    if (isFile && sentBytes < length) this.#startLineAgain();
  }

  async #send(bytes: Buffer, start: number, length: number): Promise<number> {
    this.#writing = true;
    try {
      const sentBytes = await this.#options.target.write(bytes, start, length);
      // Trying again without a pause could go on for ever.
      if (sentBytes === 0) throw Object.assign(new Error("Nothing was written"), { code: "EAGAIN" });
      return sentBytes;
    } finally {
      this.#writing = false;
    }
  }

  async #onError(error: unknown): Promise<void> {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "EAGAIN") {
      const busyMs = this.#busyMs;
      this.#busyMs = Math.min(2 * busyMs, maxBusyMs);
      return this.#options.clock.sleep(busyMs);
    }
    this.#startLineAgain();
    if (!noRoom.has(code) || this.#ending.signal.aborted) this.#buffer.clear();
    return this.#pause(retryMs);
  }

  #startLineAgain(): void {
    this.#buffer.startLineAgain();
    this.#torn = true;
  }

  /** Cut short by the end. */
  async #pause(ms: number): Promise<void> {
    await this.#options.clock.sleep(ms, this.#ending.signal).catch(() => {});
  }
}
