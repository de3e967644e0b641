// Gathers what one read has brought for the other side and sends it at once: a head and the body that came with it are one
// write, and a write is the most expensive thing that a proxy does.

/** The part of a socket that is used here. What is written between `cork` and `uncork` leaves in one system call. */
export interface WriteTarget {
  write(data: string | Buffer, encoding?: BufferEncoding): boolean;
  cork(): void;
  uncork(): void;
  /** The receiver must catch up before it is sent more. */
  readonly writableNeedDrain: boolean;
}

/** Up to here text is cheaper than bytes: Node encodes it without an allocation. More than this is sent as bytes. */
export const maxTextBytes = 16_384;

export class Outgoing {
  readonly #target: WriteTarget;
  /** Latin-1: one character a byte. */
  #text = "";
  /** Whether bytes are to be wrapped in chunks. */
  chunking = false;

  constructor(target: WriteTarget) {
    this.#target = target;
  }

  /** A head, or any other text: one character a byte. */
  text(latin1: string): void {
    this.#text += latin1;
  }

  /** Takes `bytes[from, to)`, which may be nothing. The caller will use the buffer again before `flush`. */
  bodyBytes(bytes: Buffer, from: number, to: number): void {
    const size = to - from;
    if (size === 0) return;
    if (this.chunking) this.#text += `${size.toString(16)}\r\n`;
    this.#text += bytes.toString("latin1", from, to);
    if (this.chunking) this.#text += "\r\n";
  }

  /** The end of a body that was wrapped in chunks. */
  endChunks(): void {
    if (this.chunking) this.#text += "0\r\n\r\n";
    this.chunking = false;
  }

  /**
   * Called when everything that one read brought has been handed over: now it leaves, in one system call, and nothing left before.
   * Returns false when the receiver must catch up before more is read for it, whether anything was sent or not.
   */
  flush(): boolean {
    const text = this.#text;
    this.#text = "";
    if (text !== "") this.#target.write(text, "latin1");
    return !this.#target.writableNeedDrain;
  }
}
