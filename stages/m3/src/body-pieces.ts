// Puts the pieces of a body together that come in one turn of the event loop. One read may bring thousands of chunks of a byte
// each, and every write that waits for a slow reader costs some hundred bytes: written one by one, they would fill the memory.

export class BodyPieces {
  readonly #write: (bytes: Buffer) => void;
  #pieces: Buffer[] = [];

  /** `write` gets what has come in one turn, in order. */
  constructor(write: (bytes: Buffer) => void) {
    this.#write = write;
  }

  add(piece: Buffer): void {
    this.#pieces.push(piece);
    if (this.#pieces.length === 1) queueMicrotask(() => this.flush());
  }

  /** Writes at once what has come. For the end of a body, which must come after it. */
  flush(): void {
    const pieces = this.#pieces;
    const [first] = pieces;
    if (first === undefined) return;
    this.#pieces = [];
    this.#write(pieces.length === 1 ? first : Buffer.concat(pieces));
  }
}
