// Reads a configuration as nginx does, as far as maps go: its words, its escapes, and what a map finds for a value. Written from
// nginx's documentation and source, and not from the generator, so that tests compare two readings.

/** The statements of a configuration, blocks included: `["map", "$a", "$b", [[…], …]]`. */
export type Statement = readonly (string | readonly Statement[])[];

/** @see https://github.com/nginx/nginx/blob/release-1.22.1/src/core/ngx_conf_file.c ngx_conf_read_token */
export function readConfiguration(text: string): readonly Statement[] {
  const reader = { text, at: 0 };
  const statements = readBlock(reader);
  if (reader.at < text.length) throw new Error(`unexpected "}" at ${reader.at}`);
  return statements;
}

interface Reader {
  readonly text: string;
  at: number;
}

function readBlock(reader: Reader): readonly Statement[] {
  const statements: Statement[] = [];
  let words: (string | readonly Statement[])[] = [];
  for (; reader.at < reader.text.length; ) {
    const character = reader.text[reader.at] ?? "";
    if (/\s/.test(character)) reader.at++;
    else if (character === "#") reader.at = endOfLine(reader);
    else if (character === ";" || character === "{") {
      reader.at++;
      if (character === "{") words.push(readInner(reader));
      statements.push(words);
      words = [];
    } else if (character === "}") break;
    else words.push(readWord(reader));
  }
  if (words.length > 0) throw new Error(`no ";" behind ${JSON.stringify(words)}`);
  return statements;
}

function readInner(reader: Reader): readonly Statement[] {
  const statements = readBlock(reader);
  if (reader.text[reader.at] !== "}") throw new Error(`no "}" at ${reader.at}`);
  reader.at++;
  return statements;
}

function endOfLine({ text, at }: Reader): number {
  const end = text.indexOf("\n", at);
  return end < 0 ? text.length : end;
}

const escapes: Readonly<Record<string, string>> = {
  t: "\t",
  r: "\r",
  n: "\n",
  '"': '"',
  "'": "'",
  "\\": "\\",
};

function readWord(reader: Reader): string {
  const { text } = reader;
  const quote = /["']/.test(text[reader.at] ?? "") ? text[reader.at++] : undefined;
  let word = "";
  for (; ; reader.at++) {
    const character = text[reader.at];
    if (character === undefined) throw new Error("a word without an end");
    if (quote === undefined ? /[\s;{]/.test(character) && !isVariable(text, reader.at) : character === quote)
      break;
    const escaped = character === "\\" ? escapes[text[reader.at + 1] ?? ""] : undefined;
    if (escaped !== undefined) reader.at++;
    word += escaped ?? character;
  }
  if (quote === undefined) return word;
  reader.at++;
  if (!/[\s;{]/.test(text[reader.at] ?? ""))
    throw new Error(`text behind a quoted word: ${JSON.stringify(word)}`);
  return word;
}

/** `${name}` outside of quotes: the brace begins no block. */
function isVariable(text: string, at: number): boolean {
  return text[at] === "{" && text[at - 1] === "$";
}

/** Every map of the `http` block, by the variable that it makes. */
export class Maps {
  readonly #maps = new Map<string, { readonly source: string; readonly entries: readonly Statement[] }>();

  constructor(statements: readonly Statement[]) {
    const http = statements.find(([name]) => name === "http")?.at(-1) as readonly Statement[];
    for (const [word, source, name, entries] of http) {
      if (word !== "map") continue;
      const map = { source: String(source), entries: entries as readonly Statement[] };
      this.#maps.set(String(name).slice(1), map);
    }
  }

  /** What a text with variables holds for a request, of which `known` gives nginx's own variables. */
  evaluate(text: string, known: Record<string, string>): string {
    return text.replace(/\$(?:\{(\w+)\}|(\w+))/g, (_, braced: string, plain: string) =>
      this.variable(braced ?? plain, known),
    );
  }

  variable(name: string, known: Record<string, string>): string {
    const value = known[name];
    if (value !== undefined) return value;
    const map = this.#maps.get(name);
    if (map === undefined) return "";
    return this.evaluate(find(map.entries, this.evaluate(map.source, known), known), known);
  }
}

/** @see https://github.com/nginx/nginx/blob/release-1.22.1/src/http/modules/ngx_http_map_module.c */
function find(entries: readonly Statement[], source: string, known: Record<string, string>): string {
  const exact = new Map<string, string>();
  const patterns: [RegExp, string][] = [];
  let otherwise: string | undefined;
  for (const entry of entries) {
    const [key = "", value = ""] = entry.map(String);
    if (entry.length !== 2 || key === "include") throw new Error(`not a map entry: ${JSON.stringify(entry)}`);
    if (key === "default") {
      if (otherwise !== undefined) throw new Error("duplicate default map parameter");
      otherwise = value;
    } else if (key.startsWith("~")) patterns.push([pattern(key), value]);
    else {
      const folded = fold(key.startsWith("\\") ? key.slice(1) : key);
      if (exact.has(folded)) throw new Error(`conflicting parameter "${key}"`);
      exact.set(folded, value);
    }
  }
  const found = exact.get(fold(source));
  if (found !== undefined) return found;
  for (const [regularExpression, value] of patterns) {
    const match = regularExpression.exec(source);
    if (match === null) continue;
    for (const [name, text] of Object.entries(match.groups ?? {})) if (text !== undefined) known[name] = text;
    return value;
  }
  return otherwise ?? "";
}

/** PCRE's `\z` is JavaScript's `$` without the flag m. */
function pattern(key: string): RegExp {
  const isFolded = key.startsWith("~*");
  return new RegExp(key.slice(isFolded ? 2 : 1).replaceAll("\\z", "$"), isFolded ? "is" : "s");
}

function fold(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
