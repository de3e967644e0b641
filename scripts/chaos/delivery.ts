// How bytes go out on a connection: cut at a random byte, in pieces, with pauses, and how the connection then ends. The
// same for hostile clients and hostile cells.

import type { Random } from "../../shared/fuzz/random.ts";

/** Text, one character per byte, sent `times` times. */
export interface Piece {
  readonly text: string;
  readonly times: number;
}

export type Step =
  | { readonly kind: "send"; readonly piece: Piece }
  | { readonly kind: "wait"; readonly ms: number }
  /** Until the peer has sent that many more bytes, for at most `ms`. */
  | { readonly kind: "hear"; readonly bytes: number; readonly ms: number };

/**
 * `reset`: RST. `close`: both directions at once. `half-close`: FIN, and reading until the peer ends, for at most
 * `patienceMs`, then a close. `stay`: the same without the FIN.
 */
export interface Ending {
  readonly kind: "reset" | "close" | "half-close" | "stay";
  readonly patienceMs: number;
}

export interface Delivery {
  readonly steps: readonly Step[];
  readonly ending: Ending;
  /** Where the stream was cut; undefined where all of it goes out. */
  readonly cutAt: number | undefined;
}

export function lengthOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, { text, times }) => sum + text.length * times, 0);
}

/** The first `length` bytes. */
export function cut(pieces: readonly Piece[], length: number): Piece[] {
  const kept: Piece[] = [];
  let left = length;
  for (const { text, times } of pieces) {
    if (left <= 0) break;
    const whole = Math.min(times, Math.floor(left / Math.max(1, text.length)));
    if (whole > 0) kept.push({ text, times: whole });
    left -= whole * text.length;
    if (whole < times && left > 0) kept.push({ text: text.slice(0, left), times: 1 });
    if (whole < times) break;
  }
  return kept;
}

/** A byte of a stream at which to cut it: anywhere, near the end of a head, or near the end. */
export function cutPoint(random: Random, pieces: readonly Piece[]): number {
  const length = lengthOf(pieces);
  if (length === 0) return 0;
  const where = random.below(3);
  if (where === 0) return random.below(length);
  if (where === 1) return Math.max(0, length - 1 - random.below(Math.min(length, 40)));
  const head = pieces[0]?.text ?? "";
  const ends = [...head.matchAll(/\r\n\r\n|\r\n/g)].map((match) => match.index);
  if (ends.length === 0) return random.below(length);
  return Math.min(length - 1, Math.max(0, random.pick(ends) + random.below(7) - 2));
}

/** Pieces as steps: in one write, in a few, or byte by byte. */
export function steps(random: Random, pieces: readonly Piece[]): Step[] {
  const style = random.below(10);
  return pieces.flatMap((piece): Step[] => {
    const { text, times } = piece;
    if (times > 1 || text.length < 2 || style < 5) return [{ kind: "send", piece }];
    // Byte by byte through a window: a whole stream of single bytes would take the run's time.
    const [from, to, size] =
      style < 8
        ? [0, text.length, Math.ceil(text.length / (2 + random.below(4)))]
        : [random.below(text.length), Math.min(text.length, 60), 1];
    return inWindow(random, text, from, Math.max(from, to), size);
  });
}

function inWindow(random: Random, text: string, from: number, to: number, size: number): Step[] {
  const parts = [text.slice(0, from)];
  for (let at = from; at < to; at += size) parts.push(text.slice(at, Math.min(to, at + size)));
  parts.push(text.slice(to));
  return parts
    .filter((part) => part !== "")
    .flatMap((part): Step[] => [
      { kind: "send", piece: { text: part, times: 1 } },
      // A wait of no time still sends what comes next in a packet of its own. Some wait for a response first.
      size > 1 && random.chance(8)
        ? { kind: "hear", bytes: 1, ms: 150 }
        : { kind: "wait", ms: random.chance(70) ? 0 : random.below(size === 1 ? 3 : 20) },
    ]);
}

/** What passes between the last byte and the end: nothing, a moment, or the peer's first bytes. */
export function pause(random: Random): Step[] {
  const kind = random.below(10);
  if (kind < 3) return [];
  if (kind < 4) return [{ kind: "wait", ms: 0 }];
  if (kind < 6) return [{ kind: "wait", ms: 1 + random.below(5) }];
  if (kind < 7) return [{ kind: "wait", ms: 5 + random.below(200) }];
  return [{ kind: "hear", bytes: random.chance(60) ? 1 : 1 + random.below(3000), ms: 600 }];
}

export function ending(random: Random, longMs: number): Ending {
  const kind = random.pick([
    "reset",
    "reset",
    "reset",
    "close",
    "close",
    "half-close",
    "stay",
    "stay",
  ] as const);
  const patienceMs = random.chance(3) ? longMs : 20 + random.below(600);
  return { kind, patienceMs };
}
