// Hands on what nginx appends to its access log. nginx cannot write to Node's standard output: that is a socket, which cannot be
// opened by name.

import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";

const everyMs = 50;

export class AccessLogTail {
  readonly #path: string;
  #file: number;
  readonly #timer: NodeJS.Timeout;
  readonly #onText: (text: string) => void;
  #position = 0;
  #rest = "";

  constructor(path: string, onText: (wholeLines: string) => void) {
    this.#path = path;
    this.#file = openSync(path, "r");
    this.#onText = onText;
    this.#timer = setInterval(() => {
      this.#read();
      if (this.#isReplaced()) this.#open();
    }, everyMs);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#read();
    closeSync(this.#file);
  }

  /** Somebody has moved the log away or removed it, and nginx has made a new one with its next reload. */
  #isReplaced(): boolean {
    const found = statSync(this.#path, { throwIfNoEntry: false });
    return found?.isFile() === true && found.ino !== fstatSync(this.#file).ino;
  }

  #open(): void {
    this.#read();
    closeSync(this.#file);
    this.#file = openSync(this.#path, "r");
    this.#position = 0;
    this.#rest = "";
  }

  #read(): void {
    const piece = Buffer.allocUnsafe(64 * 1024);
    // Somebody has emptied it, which is how a log is cut short without a new file.
    if (fstatSync(this.#file).size < this.#position) {
      this.#position = 0;
      this.#rest = "";
    }
    for (;;) {
      const length = readSync(this.#file, piece, 0, piece.length, this.#position);
      this.#position += length;
      if (length === 0) return;
      const text = this.#rest + piece.toString("latin1", 0, length);
      const end = text.lastIndexOf("\n") + 1;
      this.#rest = text.slice(end);
      // Bytes as they came: half a character may stand at the end of a piece.
      if (end > 0) this.#onText(Buffer.from(text.slice(0, end), "latin1").toString("utf8"));
    }
  }
}
