// What a parser made of a stream of bytes, in a form that any two parsers can be compared in.

export interface Message {
  /** `GET /path 1` or `200 OK 1`: what the first line said. */
  readonly firstLine: string;
  /** Name, value, name, value, … as they came. */
  readonly fields: readonly string[];
  /** Content, without chunk framing, one character a byte. */
  body: string;
  trailers: readonly string[];
  /** Whether the end of the body was seen. */
  complete: boolean;
}

export interface Reading {
  readonly messages: readonly Message[];
  /** Why reading stopped; undefined where the stream's end was reached. */
  readonly refusal: { readonly rule: string } | undefined;
  /** The last message said that nothing follows it. */
  readonly closed: boolean;
}
