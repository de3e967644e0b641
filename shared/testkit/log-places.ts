// Places for a process's standard output that can fail: a pipe whose reader stalls or leaves, and a file on a disk that
// fills up. Give `fd` to the process, then `handOver()`. A terminal is in `log-terminal.ts`.

import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StringDecoder } from "node:string_decoder";
import { eventually } from "./eventually.ts";
import type { LogLine } from "./router-process.ts";

export abstract class LogPlace implements Disposable {
  /** For the standard output of a process. */
  readonly fd: number;
  readonly #directory: string | undefined;
  #handedOver = false;

  protected constructor(fd: number, directory?: string) {
    this.fd = fd;
    this.#directory = directory;
  }

  /** What has been written and read so far. */
  abstract text(): string;

  /** Closes this process's end, once the other process has its own. */
  handOver(): void {
    if (!this.#handedOver) closeSync(this.fd);
    this.#handedOver = true;
  }

  /** Every whole line. @throws SyntaxError for a line that is not JSON: half of one, or two that mix */
  lines(): LogLine[] {
    const text = this.text();
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    return whole
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line));
  }

  /** The first line with this event. */
  waitFor(event: string, deadlineMs = 45_000): Promise<LogLine> {
    const what = `a log line with the event "${event}"`;
    return eventually(() => this.lines().find((line) => line["event"] === event), { what, deadlineMs });
  }

  [Symbol.dispose](): void {
    this.handOver();
    if (this.#directory !== undefined) rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** A pipe that this process reads, for as long as it wants to. */
export class LogPipe extends LogPlace {
  readonly #path: string;
  readonly #reader: number;
  readonly #decoder = new StringDecoder();
  #text = "";
  #left = false;
  #timer: NodeJS.Timeout | undefined;

  private constructor(fd: number, directory: string, path: string, reader: number) {
    super(fd, directory);
    this.#path = path;
    this.#reader = reader;
    this.resume();
  }

  static open(): LogPipe {
    const directory = mkdtempSync(join(tmpdir(), "log-pipe-"));
    const path = join(directory, "pipe");
    execFileSync("mkfifo", [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    return new LogPipe(openSync(path, "w"), directory, path, reader);
  }

  text(): string {
    return this.#text;
  }

  /** Reads no more until `resume()`: the pipe fills up. */
  stall(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Stalls with no room left: even the next line finds none. Puts empty lines into the log. */
  fill(): void {
    this.stall();
    const writer = openSync(this.#path, constants.O_WRONLY | constants.O_NONBLOCK);
    try {
      for (;;) writeSync(writer, "\n".repeat(4096));
    } catch {
      // EAGAIN: full.
    } finally {
      closeSync(writer);
    }
  }

  /**
   * Reads on.
   *
   * @param bytesAtOnce How much it reads every 2 ms. A small number makes it a reader that is always behind.
   */
  resume(bytesAtOnce = 1024 * 1024): void {
    this.stall();
    // Not by a stream: one that is paused still reads some.
    this.#timer = setInterval(() => this.#read(bytesAtOnce), 2);
  }

  /** Nobody reads the pipe any more, and never will. */
  leave(): void {
    this.stall();
    if (!this.#left) closeSync(this.#reader);
    this.#left = true;
  }

  override [Symbol.dispose](): void {
    this.leave();
    super[Symbol.dispose]();
  }

  #read(bytesAtOnce: number): void {
    const buffer = Buffer.allocUnsafe(bytesAtOnce);
    try {
      const length = readSync(this.#reader, buffer);
      this.#text += this.#decoder.write(buffer.subarray(0, length));
    } catch {
      // EAGAIN: empty.
    }
  }
}

export class LogFile extends LogPlace {
  readonly #path: string;

  private constructor(fd: number, directory: string, path: string) {
    super(fd, directory);
    this.#path = path;
  }

  static open(): LogFile {
    const directory = mkdtempSync(join(tmpdir(), "log-file-"));
    const path = join(directory, "log");
    return new LogFile(openSync(path, "a"), directory, path);
  }

  text(): string {
    return readFileSync(this.#path, "utf8");
  }

  async untilSize(bytes: number): Promise<void> {
    await eventually(() => statSync(this.#path).size === bytes, { what: `a log of ${bytes} bytes` });
  }

  /** Makes room, as log rotation does with `copytruncate`. */
  empty(): void {
    truncateSync(this.#path);
  }
}

/** A program, with arguments, that runs the command after it with files of at most `kib` KiB: like a full disk, `EFBIG`. */
export function withFilesUpTo(kib: number): string[] {
  // In blocks of 512 bytes, as POSIX has it.
  return ["/bin/sh", "-c", `ulimit -f ${kib * 2} && exec "$@"`, "sh"];
}
