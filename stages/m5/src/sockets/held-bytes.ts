// What a client sent ahead of its turn. It waits here, in one piece, until the exchange before it has ended.

const nothing = Buffer.alloc(0);

export class HeldBytes {
  #buffer = nothing;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Keeps a copy of `bytes[from, to)` behind what is held already. */
  add(bytes: Buffer, from: number, to: number): void {
    const needed = this.#size + (to - from);
    if (needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, this.#size);
      this.#buffer = grown;
    }
    bytes.copy(this.#buffer, this.#size, from, to);
    this.#size = needed;
  }

  /** Returns what is held, and forgets it. The caller may keep it. */
  take(): Buffer {
    if (this.#size === 0) return nothing;
    const held = this.#buffer.subarray(0, this.#size);
    this.#buffer = nothing;
    this.#size = 0;
    return held;
  }
}
