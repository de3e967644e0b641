// The lines of a log that wait to be written: in bounded memory, in order, and whole. A line that finds no room is dropped
// and counted. When to write, and where, is the business of `log-writer.ts`.

/** So many characters are encoded at once: as text, lines that wait could keep far more memory alive than their length. */
const gatherLength = 32 * 1024;
/** Bytes wait in chunks of this size. */
const chunkBytes = 256 * 1024;
const newline = 0x0a;

/** Whole lines between `start` and `end`; a notice stands alone and says how many dropped lines it `mentions`. */
interface Chunk {
  readonly bytes: Buffer;
  readonly mentions: number;
  start: number;
  end: number;
}

export class LogBuffer {
  #maxBytes: number;
  readonly #notice: (dropped: number) => string;
  /** The latest lines. */
  #gathered = "";
  /** The lines before those. */
  #chunks: Chunk[] = [];
  #waitingBytes = 0;
  /** How much of the first waiting line has been written. */
  #sentBytes = 0;
  #dropped = 0;
  /** Dropped lines that no notice mentions yet. */
  #unmentioned = 0;
  /** Once full, the buffer is emptied first: one long gap in a log is easier to read than many short ones. */
  #overflowed = false;

  /**
   * @param maxBytes Memory for lines that wait.
   * @param notice Makes the line that says how many lines are missing where it stands.
   */
  constructor(maxBytes: number, notice: (dropped: number) => string) {
    this.#maxBytes = maxBytes;
    this.#notice = notice;
  }

  /** Lines dropped since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Takes one or more whole lines. */
  add(lines: string): void {
    this.#gathered += lines;
    if (this.#gathered.length >= gatherLength) this.#encode();
  }

  /** Whether lines wait. */
  hasLines(): boolean {
    this.#encode();
    return this.#waitingBytes > 0;
  }

  /**
   * What to write next: the lines that fit into `pieceBytes`, or one line that is longer than that. Call `advance` with how
   * much of it has been written.
   */
  nextPiece(pieceBytes: number): { readonly bytes: Buffer; readonly start: number; readonly length: number } {
    const [{ bytes, start, end } = emptyChunk] = this.#chunks;
    const from = start + this.#sentBytes;
    const limit = start + pieceBytes;
    if (limit >= end) return { bytes, start: from, length: end - from };
    const fitting = bytes.lastIndexOf(newline, limit - 1) + 1;
    const to = fitting > start ? fitting : bytes.indexOf(newline, limit - 1) + 1;
    return { bytes, start: from, length: to - from };
  }

  advance(sentBytes: number): void {
    const [chunk] = this.#chunks;
    if (chunk === undefined) return;
    const sentTo = chunk.start + this.#sentBytes + sentBytes;
    this.#waitingBytes -= sentBytes;
    // A line counts as written once its last byte is.
    chunk.start = Math.max(chunk.start, chunk.bytes.lastIndexOf(newline, sentTo - 1) + 1);
    this.#sentBytes = sentTo - chunk.start;
    if (chunk.start < chunk.end) return;
    if (this.#chunks.length > 1 || chunk.bytes.length !== chunkBytes) this.#chunks.shift();
    else chunk.start = chunk.end = 0;
  }

  /** Writes a line from its beginning whose first half may be lost. */
  startLineAgain(): void {
    this.#waitingBytes += this.#sentBytes;
    this.#sentBytes = 0;
  }

  /** Puts a notice of dropped lines after those that wait, unless every one has been mentioned. */
  mentionDropped(): void {
    if (this.#unmentioned === 0) return;
    const bytes = Buffer.from(this.#notice(this.#unmentioned));
    this.#addChunk(bytes, this.#unmentioned).end = bytes.length;
    this.#waitingBytes += bytes.length;
    this.#unmentioned = 0;
  }

  /** Drops what waits. */
  clear(): void {
    this.#encode();
    for (const { bytes, mentions, start, end } of this.#chunks) {
      if (mentions > 0) this.#unmentioned += mentions;
      else this.#drop(linesIn(bytes.subarray(start, end)));
    }
    this.#chunks = [];
    this.#waitingBytes = 0;
    this.#sentBytes = 0;
  }

  /** Drops what waits and whatever comes. */
  close(): void {
    this.clear();
    this.#maxBytes = 0;
  }

  #encode(): void {
    const lines = this.#gathered;
    if (lines === "") return;
    this.#gathered = "";
    const size = Buffer.byteLength(lines);
    const isOver = this.#waitingBytes + size > this.#maxBytes;
    this.#overflowed = isOver || (this.#overflowed && this.#waitingBytes > 0);
    if (this.#overflowed) return this.#drop(lines.split("\n").length - 1);
    this.mentionDropped();
    let chunk = this.#chunks.at(-1);
    if (chunk === undefined || chunk.bytes.length - chunk.end < size)
      chunk = this.#addChunk(Buffer.allocUnsafeSlow(Math.max(chunkBytes, size)));
    chunk.end += chunk.bytes.write(lines, chunk.end);
    this.#waitingBytes += size;
  }

  #addChunk(bytes: Buffer, mentions = 0): Chunk {
    const chunk = { bytes, mentions, start: 0, end: 0 };
    // What is left of the last chunk when nothing waits is its room.
    if (this.#waitingBytes === 0) this.#chunks = [];
    this.#chunks.push(chunk);
    return chunk;
  }

  #drop(lines: number): void {
    this.#dropped += lines;
    this.#unmentioned += lines;
  }
}

const emptyChunk: Chunk = { bytes: Buffer.alloc(0), mentions: 0, start: 0, end: 0 };

function linesIn(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, at + 1)) lines++;
  return lines;
}
