// Virtual time. What is due first happens first; of two things due at the same moment, the one that was planned
// first. Nothing waits: an hour passes as fast as its events can be computed.

interface Planned {
  readonly atMs: number;
  readonly order: number;
  readonly happen: () => void;
}

export class EventQueue {
  #nowMs = 0;
  #order = 0;
  readonly #planned: Planned[] = [];

  /** Milliseconds since the simulation began. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Plans `happen` for a moment; one that has passed already is now. */
  at(atMs: number, happen: () => void): void {
    const planned = { atMs: Math.max(this.#nowMs, Math.round(atMs)), order: this.#order++, happen };
    // From the end: most of what is planned lies later than what is there.
    let index = this.#planned.length;
    while (index > 0 && isLater(this.#planned[index - 1], planned)) index--;
    this.#planned.splice(index, 0, planned);
  }

  after(delayMs: number, happen: () => void): void {
    this.at(this.#nowMs + delayMs, happen);
  }

  /** Lets everything happen that is due up to `untilMs`, and moves the time there. */
  runUntil(untilMs: number): void {
    while (this.#step(untilMs));
    this.#nowMs = untilMs;
  }

  /** The same for code that awaits: whatever an event's promises lead to happens before the next event. */
  async runUntilSettled(untilMs: number): Promise<void> {
    while (this.#step(untilMs)) await new Promise<void>((resolve) => setImmediate(resolve));
    this.#nowMs = untilMs;
  }

  /** Lets the next event happen, if one is due. */
  #step(untilMs: number): boolean {
    const next = this.#planned[0];
    if (next === undefined || next.atMs > untilMs) return false;
    this.#planned.shift();
    this.#nowMs = next.atMs;
    next.happen();
    return true;
  }
}

function isLater(a: Planned | undefined, b: Planned): boolean {
  return a !== undefined && (a.atMs > b.atMs || (a.atMs === b.atMs && a.order > b.order));
}
