// Reads bytes from a socket only when a test asks for them, so that a test which does not read is a slow reader:
// its kernel buffer fills and its peer feels it. Message framing is in `http-message.ts`.

import type { Socket } from "node:net";

/** How a connection ended: `closed` by a FIN, `reset` by a RST or another socket error. */
export type ConnectionEnd = "closed" | "reset";

/** The connection ended where more bytes were needed. */
export class EndOfBytes extends Error {
  override readonly name = "EndOfBytes";
  readonly end: ConnectionEnd;
  /** What had arrived of the unit that was being read. */
  readonly partial: Buffer;

  constructor(end: ConnectionEnd, partial: Buffer) {
    super(`The connection was ${end} after ${JSON.stringify(excerpt(partial))}`);
    this.end = end;
    this.partial = partial;
  }
}

const empty: Buffer = Buffer.alloc(0);

export interface ByteReaderOptions {
  /** How long one read may wait for bytes. @default 15000 */
  readonly deadlineMs?: number;
  /** Sees every chunk as it is taken from the socket: a capture. */
  readonly onChunk?: (chunk: Buffer) => void;
}

export class ByteReader {
  readonly #socket: Socket | undefined;
  readonly #deadlineMs: number;
  readonly #onChunk: ((chunk: Buffer) => void) | undefined;
  #pending: Buffer = empty;
  #end: ConnectionEnd | undefined;
  #wake: (() => void) | undefined;

  constructor(source: Socket | Buffer, options: ByteReaderOptions = {}) {
    this.#deadlineMs = options.deadlineMs ?? 15_000;
    this.#onChunk = options.onChunk;
    if (Buffer.isBuffer(source)) {
      this.#pending = source;
      this.#end = "closed";
      return;
    }
    this.#socket = source;
    const wake = () => this.#wake?.();
    source.on("readable", wake);
    source.on("end", () => {
      this.#end ??= "closed";
      wake();
    });
    source.on("error", () => {
      this.#end = "reset";
      wake();
    });
    source.on("close", (hadError) => {
      this.#end ??= hadError ? "reset" : "closed";
      wake();
    });
  }

  /** How the connection ended, as far as it has been read; undefined while it is open. */
  get end(): ConnectionEnd | undefined {
    return this.#end;
  }

  /** Bytes taken from the socket and not yet given out. */
  get buffered(): number {
    return this.#pending.length;
  }

  /** Waits until there are bytes to read. False at the end, or when none came within `deadlineMs`. */
  async more(deadlineMs: number): Promise<boolean> {
    if (this.#pending.length > 0) return true;
    try {
      return await this.#fill(deadlineMs);
    } catch {
      return false;
    }
  }

  /** The next bytes, whatever their number; undefined at the end. */
  async chunk(deadlineMs: number = this.#deadlineMs): Promise<Buffer | undefined> {
    if (this.#pending.length === 0 && !(await this.#fill(deadlineMs))) return undefined;
    const chunk = this.#pending;
    this.#pending = empty;
    return chunk;
  }

  /** At most `max` bytes; undefined at the end. */
  async upTo(max: number): Promise<Buffer | undefined> {
    const chunk = await this.chunk();
    if (chunk === undefined || chunk.length <= max) return chunk;
    this.#pending = chunk.subarray(max);
    return chunk.subarray(0, max);
  }

  /** Exactly `count` bytes. @throws EndOfBytes */
  async exactly(count: number): Promise<Buffer> {
    while (this.#pending.length < count) {
      if (!(await this.#fill()))
        throw new EndOfBytes(this.#end ?? "closed", this.#take(this.#pending.length));
    }
    return this.#take(count);
  }

  /** Everything up to and with `delimiter`. @throws EndOfBytes */
  async through(delimiter: string, maxBytes = 1_048_576): Promise<Buffer> {
    let searched = 0;
    for (;;) {
      const at = this.#pending.indexOf(delimiter, searched, "latin1");
      if (at >= 0) return this.#take(at + delimiter.length);
      if (this.#pending.length > maxBytes) {
        throw new Error(`No ${JSON.stringify(delimiter)} in ${this.#pending.length} bytes`);
      }
      searched = Math.max(0, this.#pending.length - delimiter.length + 1);
      if (!(await this.#fill()))
        throw new EndOfBytes(this.#end ?? "closed", this.#take(this.#pending.length));
    }
  }

  /** Everything until the connection ends. */
  async toEnd(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for (;;) {
      const chunk = await this.chunk();
      if (chunk === undefined) return Buffer.concat(chunks);
      chunks.push(chunk);
    }
  }

  #take(count: number): Buffer {
    const taken = this.#pending.subarray(0, count);
    this.#pending = this.#pending.subarray(count);
    return taken;
  }

  /** Takes what has arrived, waiting for it if need be. False at the end. */
  async #fill(deadlineMs: number = this.#deadlineMs): Promise<boolean> {
    const socket = this.#socket;
    if (socket === undefined) return false;
    const deadline = performance.now() + deadlineMs;
    for (;;) {
      const chunk = socket.read() as Buffer | null;
      if (chunk !== null) {
        this.#onChunk?.(chunk);
        this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
        return true;
      }
      if (this.#end !== undefined) return false;
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) {
        const got = JSON.stringify(excerpt(this.#pending));
        throw new Error(`Nothing more arrived within ${deadlineMs} ms; unread so far: ${got}`);
      }
      await this.#woken(leftMs);
    }
  }

  #woken(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#wake = done;
    });
  }
}

/** The start of some bytes as text, for a message. */
export function excerpt(bytes: Buffer, max = 200): string {
  const text = bytes.toString("latin1", 0, max);
  return bytes.length > max ? `${text}… (${bytes.length} bytes)` : text;
}
