// Tasks that happen one after the other, in the order in which they came.

export class Mutex {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** Tasks that have not ended. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Resolves or rejects as `task` does. */
  take<T>(task: () => Promise<T>): Promise<T> {
    this.#waiting += 1;
    const result = this.#last.then(task).finally(() => {
      this.#waiting -= 1;
    });
    this.#last = result.catch(() => {});
    return result;
  }

  /** Resolves when everything that has come so far has ended. Never rejects. */
  async ended(): Promise<void> {
    await this.#last;
  }
}
