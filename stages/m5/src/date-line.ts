// The Date of a response, for those that do not bring one: the router's own, and those of cells without a clock.

export class DateLine {
  readonly #wallClockMs: () => number;
  #second = Number.NaN;
  #line = "";

  constructor(wallClockMs: () => number) {
    this.#wallClockMs = wallClockMs;
  }

  /**
   * The line with the present time, ended by CR LF. Its text is made once a second.
   * @see https://www.rfc-editor.org/rfc/rfc9110#section-6.6.1
   */
  text(): string {
    const second = Math.floor(this.#wallClockMs() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#line = `Date: ${new Date(second * 1000).toUTCString()}\r\n`;
    }
    return this.#line;
  }
}
