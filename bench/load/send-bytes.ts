// Sends many bytes, no faster than they are taken.
import type { Writable } from "node:stream";

const piece = Buffer.alloc(64 * 1024, "0123456789abcdef");

/** Writes `total` bytes and ends the stream. */
export function sendBytes(stream: Writable, total: number): void {
  let missing = total;
  const more = () => {
    while (missing > 0) {
      const next = missing >= piece.length ? piece : piece.subarray(0, missing);
      missing -= next.length;
      if (!stream.write(next)) return void stream.once("drain", more);
    }
    stream.end();
  };
  more();
}
