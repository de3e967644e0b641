// Header and trailer fields by the letter of RFC 9110 §5: in order, with their case, repetitions and bytes.

/** Bytes that are not an HTTP/1.1 message, or that two readers could frame differently. */
export class NotHttp extends Error {
  override readonly name = "NotHttp";
}

/** Header fields in order, with their case and repetitions. Values are Latin-1 text: one char per byte. */
export class HeaderFields {
  readonly pairs: readonly (readonly [name: string, value: string])[];

  constructor(pairs: readonly (readonly [string, string])[]) {
    this.pairs = pairs;
  }

  /** Every value of a field, in order. */
  all(name: string): string[] {
    const wanted = name.toLowerCase();
    return this.pairs.filter(([each]) => each.toLowerCase() === wanted).map(([, value]) => value);
  }

  /** The only value of a field; undefined where there is none. @throws Error where it is repeated */
  one(name: string): string | undefined {
    const values = this.all(name);
    if (values.length > 1) throw new Error(`${name} is there ${values.length} times: ${values.join(" | ")}`);
    return values[0];
  }

  has(name: string): boolean {
    return this.all(name).length > 0;
  }

  /** Lower-case names in order. */
  names(): string[] {
    return this.pairs.map(([name]) => name.toLowerCase());
  }
}

export const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Reads field lines, without their CRLF. @throws NotHttp */
export function parseFields(lines: readonly string[]): HeaderFields {
  return new HeaderFields(
    lines.map((line) => {
      const colon = line.indexOf(":");
      const name = line.slice(0, colon);
      const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "");
      if (colon < 1 || !token.test(name)) throw new NotHttp(`Not a header field: ${JSON.stringify(line)}`);
      if (!fieldValue.test(value)) throw new NotHttp(`Not a header value: ${JSON.stringify(line)}`);
      return [name, value] as const;
    }),
  );
}
