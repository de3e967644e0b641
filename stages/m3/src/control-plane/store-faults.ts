// What keeps the store from taking the file's content, or from writing. Every look finds the same fault again, once per
// second and with every write; it is reported once, until another one takes its place.

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

  /** Nothing seems wrong now; if the same fault comes back, it is still the same one. */
  rest(kind: FaultKind): void {
    this.#present.delete(kind);
  }

  /** It works: if the same fault comes back, it is a new one. */
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
