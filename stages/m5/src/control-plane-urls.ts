// Which of several control planes a router is linked to, and which one is next.

export class ControlPlaneUrls {
  /** The first one is in use. */
  #urls: readonly string[];

  /** Begins with any of them, so that a fleet with one list does not gather at its first entry. */
  constructor(urls: readonly string[], random: () => number) {
    const first = Math.floor(random() * urls.length);
    this.#urls = [...urls.slice(first), ...urls.slice(0, first)];
  }

  get current(): string {
    return this.#urls[0] ?? "";
  }

  /** Moves on to the next one, and round again. Returns the one that it left. */
  leave(): string {
    const [left = "", ...others] = this.#urls;
    this.#urls = [...others, left];
    return left;
  }
}
