// What keeps the store from taking the file's content, or from writing. The same fault is found with every look, once a
// second and with every write; it is told once, until it is another one.

export type FaultKind = "file" | "disk";

export class StoreFaults {
  readonly #onFault: (error: Error) => void;
  readonly #present = new Map<FaultKind, string>();
  readonly #told = new Map<FaultKind, string>();

  constructor(onFault: (error: Error) => void) {
    this.#onFault = onFault;
  }

  note(kind: FaultKind, words: string): void {
    this.#present.set(kind, words);
    if (this.#told.get(kind) === words) return;
    this.#told.set(kind, words);
    this.#onFault(new Error(words));
  }

  /** Nothing is wrong as far as can be seen; the same fault again is still the same. */
  rest(kind: FaultKind): void {
    this.#present.delete(kind);
  }

  /** It works: the same fault again is a new one. */
  end(kind: FaultKind): void {
    this.#present.delete(kind);
    this.#told.delete(kind);
  }

  has(kind: FaultKind): boolean {
    return this.#present.has(kind);
  }

  /** Everything that is wrong now, or null. */
  words(): string | null {
    return [...this.#present.values()].join("; ") || null;
  }
}
