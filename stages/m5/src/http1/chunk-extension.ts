// Checks the extensions of one chunk's size line, byte by byte. They are dropped, but where they end decides where the chunk's
// data begins: a quoted value that one party closes earlier than the other hides a line end, and with it a chunk.

import { FIELD_VALUE, TOKEN } from "./bytes.ts";

const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

type State = "name-start" | "name" | "value-start" | "value" | "quoted" | "escaped" | "quoted-end";

/**
 * One `;name`, `;name=token` or `;name="quoted"` after another, without white space between them.
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-7.1.1
 */
export class ChunkExtension {
  #state: State = "name-start";

  /** Call at the first semicolon. */
  begin(): void {
    this.#state = "name-start";
  }

  /** Whether the line may end here. */
  get complete(): boolean {
    return this.#state === "name" || this.#state === "value" || this.#state === "quoted-end";
  }

  /** Takes the next byte; false where it cannot stand. */
  accepts(byte: number): boolean {
    const next = following(this.#state, byte);
    if (next === undefined) return false;
    this.#state = next;
    return true;
  }
}

function following(state: State, byte: number): State | undefined {
  switch (state) {
    case "name-start":
      return TOKEN[byte] === 1 ? "name" : undefined;
    case "name":
      if (byte === EQUALS) return "value-start";
      if (byte === SEMICOLON) return "name-start";
      return TOKEN[byte] === 1 ? "name" : undefined;
    case "value-start":
      if (byte === QUOTE) return "quoted";
      return TOKEN[byte] === 1 ? "value" : undefined;
    case "value":
      if (byte === SEMICOLON) return "name-start";
      return TOKEN[byte] === 1 ? "value" : undefined;
    case "quoted":
      if (byte === QUOTE) return "quoted-end";
      if (byte === BACKSLASH) return "escaped";
      return FIELD_VALUE[byte] === 1 ? "quoted" : undefined;
    case "escaped":
      return FIELD_VALUE[byte] === 1 ? "quoted" : undefined;
    case "quoted-end":
      return byte === SEMICOLON ? "name-start" : undefined;
    default:
      return state satisfies never;
  }
}
