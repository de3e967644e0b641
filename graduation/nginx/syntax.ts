// How text becomes part of an nginx configuration without changing its meaning: quoted words, literal values of a map, and
// the left side of a map entry, which has words and marks of its own. Knows nothing of routing.

/**
 * A word in double quotes. Inside them nginx gives a meaning to the backslash before a quote or another backslash, and to \t, \r
 * and \n; a doubled backslash is always one backslash.
 * @see https://nginx.org/en/docs/dev/development_guide.html#config
 */
export function quoted(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

/**
 * Text as a value in which nginx looks for variables. There is no escape for the dollar sign, so it is a variable itself: the
 * configuration must define `geo $dollar { default "$"; }`.
 */
export function literalValue(text: string): string {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is nginx that reads this as a variable.
  return text.replaceAll("$", () => "${dollar}");
}

/** Words that `map` takes for an instruction where a source value is expected. */
const mapWords: ReadonlySet<string> = new Set(["default", "hostnames", "include", "volatile"]);

/**
 * The left side of a map entry that matches `text`. A backslash in front says "a value, and nothing else": nginx removes
 * exactly one. It is needed before its own words, before "~", which begins a regular expression, and before a backslash.
 * @see https://nginx.org/en/docs/http/ngx_http_map_module.html#map
 */
export function mapSource(text: string): string {
  return quoted(mapWords.has(text) || /^[~\\]/.test(text) ? `\\${text}` : text);
}

/** The left side of a map entry that matches `text` and no other spelling: a regular expression made of its bytes. */
export function exactMapSource(text: string): string {
  const bytes = [...new TextEncoder().encode(text)].map((byte) => {
    const character = String.fromCharCode(byte);
    return /[A-Za-z0-9_-]/.test(character) ? character : `\\x${byte.toString(16).padStart(2, "0")}`;
  });
  // Not `quoted`: it would double the backslashes, which mean what they should as they are.
  return `"~^${bytes.join("")}\\z"`;
}

/** What nginx's map takes for the same source value: it ignores the case of ASCII letters, and of no others. */
export function foldedByMap(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
