// The buffer of the log against a destination that fails in every way that a file descriptor can, on a clock that moves
// when a test says so.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FakeClock } from "../../../shared/testkit/fake-clock.ts";
import { LogWriter } from "../src/log-writer.ts";

type Attempt = number | string | Promise<number>;

/** A place for a log. `next` says what the next writes do: take so many bytes, or fail with a code; all others take everything. */
class Place {
  readonly clock = new FakeClock();
  readonly next: Attempt[] = [];
  /** Attempts of any kind, in order; a failed one is the error's code. */
  readonly attempts: string[] = [];
  readonly #taken: Buffer[] = [];
  readonly log: LogWriter;

  constructor({ maxBytes = 1000, pieceBytes = 100, isFile = false } = {}) {
    const notice = (dropped: number): string => `(${dropped} dropped)\n`;
    const write = (bytes: Buffer, start: number, length: number) => this.#write(bytes, start, length);
    this.log = new LogWriter({ target: { pieceBytes, isFile, write }, clock: this.clock, notice, maxBytes });
  }

  /** What arrived. */
  get text(): string {
    return Buffer.concat(this.#taken).toString();
  }

  #write(bytes: Buffer, start: number, length: number): number | Promise<number> {
    const attempt = this.next.shift() ?? length;
    if (typeof attempt === "string") {
      this.attempts.push(attempt);
      throw Object.assign(new Error(attempt), { code: attempt });
    }
    if (typeof attempt !== "number") return attempt;
    // Never a line without its end alone: it would be there to read, and still count as dropped.
    const atEnd = attempt > 0 && attempt < length && bytes[start + attempt] === 0x0a ? 1 : 0;
    const taken = Buffer.from(bytes.subarray(start, start + Math.min(attempt, length) + atEnd));
    this.#taken.push(taken);
    this.attempts.push(taken.toString());
    return taken.length;
  }

  /** Every next write fails. */
  failAlways(code: string): void {
    this.next.push(...Array<Attempt>(1000).fill(code));
  }

  recover(): void {
    this.next.length = 0;
  }

  /** Writes lines and lets the writer do what it does within `ms`. */
  async write(lines: readonly string[], ms = 0): Promise<void> {
    for (const line of lines) this.log.write(`${line}\n`);
    await this.clock.advance(ms);
  }
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, n) => `line ${n}`);

describe("the log's writer", () => {
  test("writes the lines of one turn at once, and what comes within 10 ms after that at once", async () => {
    const place = new Place();
    await place.write(["a", "b"]);
    expect(place.attempts).toEqual(["a\nb\n"]);
    await place.write(["c"], 5);
    await place.write(["d"], 4);
    expect(place.attempts).toHaveLength(1);
    await place.clock.advance(1);
    expect(place.attempts).toEqual(["a\nb\n", "c\nd\n"]);
  });

  test("lets a write end where a line ends, and splits no line that fits into one", async () => {
    const place = new Place({ pieceBytes: 20 });
    const long = "x".repeat(30);
    await place.write(["0123456789", "01234567", "0123456789", long, "é".repeat(9), "z"]);
    expect(place.attempts).toEqual([
      "0123456789\n01234567\n",
      "0123456789\n",
      `${long}\n`,
      `${"é".repeat(9)}\n`,
      "z\n",
    ]);
  });

  test("goes on in the middle of a line that was taken in part", async () => {
    const place = new Place();
    place.next.push(4, "EAGAIN", 3);
    await place.write(["first", "second"], 1);
    expect(place.text).toBe("first\nsecond\n");
    expect(place.log.dropped).toBe(0);
  });

  test("tries a reader that is behind ever more seldom, and a reader that has caught up at once", async () => {
    const place = new Place();
    place.failAlways("EAGAIN");
    await place.write(["a"], 1000);
    // After 0, 1, 3, 7, 15, 31 and 63 ms, and every 50 ms from there on.
    expect(place.attempts).toHaveLength(7 + 18);
    place.recover();
    await place.clock.advance(50);
    place.next.push("EAGAIN");
    await place.write(["b"], 11);
    expect(place.text).toBe("a\nb\n");
  });

  test("keeps its lines while the disk is full, and begins on a new line after that", async () => {
    const place = new Place();
    place.next.push(3, "ENOSPC", "ENOSPC");
    await place.write(["first", "second"], 999);
    expect(place.text).toBe("fir");
    await place.write(["third"], 1000);
    await place.clock.advance(1);
    expect(place.text).toBe("fir\nfirst\nsecond\nthird\n");
    expect(place.log.dropped).toBe(0);
  });

  test("does not trust the half of a line that a file has taken: somebody may empty the file", async () => {
    const place = new Place({ isFile: true });
    place.next.push(8);
    await place.write(["first", "second"]);
    expect(place.text).toBe("first\nse\nsecond\n");
  });

  test("drops what nobody will read, and counts it", async () => {
    const place = new Place();
    place.next.push(8, "EPIPE");
    await place.write(["first", "second", "third"]);
    expect(place.log.dropped).toBe(2);
    await place.write(["fourth"], 999);
    expect(place.log.dropped).toBe(2);
    await place.clock.advance(1);
    expect(place.text).toBe("first\nse\n(2 dropped)\nfourth\n");
  });

  test("does not count a notice that is lost, and says later what it would have said", async () => {
    const place = new Place();
    place.next.push("EPIPE", "EPIPE");
    await place.write(["a"], 500);
    await place.write(["b"], 500);
    expect([place.text, place.log.dropped]).toEqual(["", 2]);
    await place.write(["c"], 1000);
    expect([place.text, place.log.dropped]).toEqual(["\n(2 dropped)\nc\n", 2]);
  });

  test("leaves one gap when its memory is full, counts its lines, and says where it is", async () => {
    const place = new Place({ maxBytes: 100 });
    place.failAlways("EAGAIN");
    // Nine bytes each with their newlines, two at a time: five pairs fit.
    for (let n = 0; n < 8; n++) await place.write([`pair ${n}.1`, `pair ${n}.2`], 50);
    expect(place.log.dropped).toBe(6);
    // There would be room for this one, but it would make a second gap.
    await place.write(["x"], 50);
    place.recover();
    await place.clock.advance(50);
    await place.write(["later"], 10);
    const pairs = Array.from({ length: 5 }, (_, n) => `pair ${n}.1\npair ${n}.2\n`);
    expect(place.text).toBe(`${pairs.join("")}(7 dropped)\nlater\n`);
  });

  test("holds no more than its memory, whatever comes", async () => {
    const place = new Place({ maxBytes: 1024 * 1024 });
    place.failAlways("EAGAIN");
    const line = "x".repeat(9_999);
    await place.write(Array<string>(1000).fill(line), 10);
    place.recover();
    await place.clock.advance(60);
    const kept = place.text.split("\n").filter((each) => each === line).length;
    expect(kept * 10_000).toBeLessThanOrEqual(1024 * 1024);
    expect(kept * 10_000).toBeGreaterThan(0.9 * 1024 * 1024);
    expect(kept + place.log.dropped).toBe(1000);
  });

  test("says what is missing without waiting for another line, once the reader has caught up", async () => {
    const place = new Place({ maxBytes: 10 });
    place.failAlways("EAGAIN");
    await place.write(["first"], 1);
    await place.write(["second"], 10);
    place.recover();
    await place.clock.advance(60);
    expect(place.text).toBe("first\n(1 dropped)\n");
  });

  test("drops a line that is larger than its memory, and takes the next one", async () => {
    const place = new Place({ maxBytes: 20 });
    await place.write(["x".repeat(30)], 10);
    await place.write(["next"], 10);
    expect(place.text).toBe("(1 dropped)\nnext\n");
  });

  test("survives an error that it does not know", async () => {
    const place = new Place();
    place.next.push("EUNHEARDOF");
    await place.write(["a"], 1000);
    await place.write(["b"], 10);
    expect(place.text).toBe("\n(1 dropped)\nb\n");
  });

  test("writes every line whole and in order or counts it, whatever the place does", async () => {
    const attempt = fc.oneof(fc.nat(40), fc.constantFrom("EAGAIN", "ENOSPC", "EPIPE"));
    const step = fc.record({
      lines: fc.array(fc.nat(30), { maxLength: 6 }),
      next: fc.array(attempt, { maxLength: 6 }),
      ms: fc.nat(1500),
    });
    const options = fc.record({
      maxBytes: fc.integer({ min: 20, max: 200 }),
      pieceBytes: fc.integer({ min: 10, max: 60 }),
      isFile: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(options, fc.array(step, { maxLength: 12 }), async (each, steps) => {
        const place = new Place(each);
        let count = 0;
        for (const { lines, next, ms } of steps) {
          place.next.push(...next);
          await place.write(
            lines.map((length) => `<${count++}é${"x".repeat(length)}>`),
            ms,
          );
        }
        place.recover();
        await place.clock.advance(2000);
        await place.write([`<${count++}é>`], 100);
        const written = place.text.split("\n").slice(0, -1);
        const mentioned = written.map((line) => Number(/^\((\d+) dropped\)$/.exec(line)?.[1] ?? 0));
        // The first half of a line may stand before the whole one.
        const numbers = written.flatMap((line) => /^<(\d+)éx*>$/.exec(line)?.[1] ?? []).map(Number);
        expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
        expect(numbers.length + place.log.dropped).toBe(count);
        expect(mentioned.reduce((sum, each) => sum + each, 0)).toBe(place.log.dropped);
      }),
      { numRuns: 500 },
    );
  });

  describe("at the end", () => {
    test("writes what is left at once", async () => {
      const place = new Place();
      await place.write(numbered(1), 1);
      place.log.write("last\n");
      expect(await place.log.end(400)).toBe(true);
      expect(place.text).toBe("line 0\nlast\n");
    });

    test("waits for a slow reader until the deadline, and counts what is lost", async () => {
      const place = new Place();
      place.failAlways("EAGAIN");
      await place.write(numbered(3), 1);
      const ended = place.log.end(400);
      await place.clock.advance(200);
      place.next.unshift("line 0\n".length);
      await place.clock.advance(200);
      expect(await ended).toBe(true);
      await place.clock.advance(100);
      expect([place.text, place.log.dropped]).toEqual(["line 0\n", 2]);
      expect(place.clock.sleeping).toBe(0);
    });

    test("tries a full disk once more, and waits no longer", async () => {
      const place = new Place();
      place.next.push("ENOSPC");
      await place.write(["a"], 10);
      expect(await place.log.end(400)).toBe(true);
      expect(place.text).toBe("\na\n");
      const full = new Place();
      full.failAlways("ENOSPC");
      await full.write(["a"], 10);
      expect(await full.log.end(400)).toBe(true);
      expect([full.log.dropped, full.attempts]).toEqual([1, ["ENOSPC", "ENOSPC"]]);
    });

    test("says when a write holds a thread that does not come back", async () => {
      const place = new Place();
      place.next.push(new Promise<number>(() => {}));
      await place.write(["a"], 10);
      const ended = place.log.end(400);
      await place.clock.advance(400);
      expect(await ended).toBe(false);
      expect(place.log.dropped).toBe(1);
    });

    test("counts a line that comes too late", async () => {
      const place = new Place();
      await place.log.end(400);
      await place.write(["late"], 10);
      expect([place.text, place.log.dropped]).toEqual(["", 1]);
    });
  });
});
