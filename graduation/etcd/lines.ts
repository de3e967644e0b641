// Lines out of pieces of text, however they are cut.

/**
 * Lines without their ends; a last one without an end is left out. Each character is looked at once, also where a long
 * line comes in small pieces. @throws Error when a line has more than `maxChars`
 */
export async function* linesOf(pieces: AsyncIterable<string>, maxChars: number): AsyncGenerator<string> {
  // V8 joins two strings without copying them, and copies once when the line is used.
  let rest = "";
  for await (const piece of pieces) {
    const [first = "", ...more] = piece.split("\n");
    rest += first;
    for (const next of more) {
      yield rest;
      rest = next;
    }
    if (rest.length > maxChars) throw new Error("a message is too long");
  }
}
