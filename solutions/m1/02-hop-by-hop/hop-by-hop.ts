// Which fields of a message may go on to the next hop, and which are about one connection only. Works on raw lists
// (name, value, name, value, …) in the order in which they came.

/** A header section as it came: name, value, name, value, … */
export type RawHeaders = readonly string[];

/**
 * Fields about one connection, not about the message. `Transfer-Encoding` is among them because each hop frames
 * the body anew; `Expect` because this router responds to it itself.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
 */
const hopByHop: ReadonlySet<string> = new Set([
  "connection",
  "proxy-connection",
  "keep-alive",
  "te",
  "transfer-encoding",
  "upgrade",
  "expect",
  "http2-settings",
  "proxy-authenticate",
  "proxy-authorization",
]);

/**
 * Framing and routing fields that `Connection` must not remove: without its length, a body would run into the next
 * message; and a client must not be able to keep from the cell what the router vouches for.
 */
const notNominable: ReadonlySet<string> = new Set(["content-length", "host", "x-routing-key", "set-cookie"]);

/** The lower-case names that the `Connection` fields of this section nominate as hop-by-hop. */
export function connectionOptions(raw: RawHeaders): ReadonlySet<string> {
  const options = valuesOf(raw, "connection").flatMap((value) => value.split(","));
  const names = options.map((option) => option.trim().toLowerCase());
  return new Set(names.filter((name) => name !== "" && !notNominable.has(name)));
}

/**
 * Removes hop-by-hop fields, those that `Connection` names, and those in `owned`, which the router writes itself
 * (its names are in lower case).
 * Returns a new list; the input is not modified.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
 */
export function endToEnd(raw: RawHeaders, owned: ReadonlySet<string>): string[] {
  const nominated = connectionOptions(raw);
  const kept: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] as string;
    const lower = name.toLowerCase();
    if (hopByHop.has(lower) || owned.has(lower) || nominated.has(lower)) continue;
    kept.push(name, raw[i + 1] as string);
  }
  return kept;
}

/** Every value of a field, in order. */
function valuesOf(raw: RawHeaders, lowerName: string): string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2)
    if ((raw[i] as string).toLowerCase() === lowerName) values.push(raw[i + 1] as string);
  return values;
}
