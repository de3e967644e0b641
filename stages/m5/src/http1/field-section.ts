// A field section (header or trailer) as one string and a table of offsets into it. Nothing is copied out of the
// string until someone asks: most fields of most messages are passed on and never looked at.

import { COLON, CR, FIELD_VALUE, HTAB, LF, SP, TOKEN } from "./bytes.ts";
import { classifyName, Field, type FieldId, fieldIdCount } from "./field-names.ts";
import { type Refusal, refusal } from "./refusal.ts";

/** Most fields in one section. Offsets are 16-bit: a section is at most 64 KiB. */
export const maxFields = 256;

const emptyName = refusal("empty field name");
const foldedLine = refusal("obs-fold");
const noColon = refusal("field name is not a token followed by a colon");
const badValue = refusal("control byte, bare CR or bare LF in a field value");
const tooMany = refusal("too many fields", "header-fields-too-large");

/** What the table holds of each field, in this order. `line` is where its name starts. */
const stride = 5;
const line = 0;
const nameEnd = 1;
const valueStart = 2;
const valueEnd = 3;
const fieldId = 4;

/** Fields for which a new table has room; it grows as it must. */
const initialFields = 16;

// #region field-section
/** Reused from message to message: parsing fills it, and what it says holds until the next parse. */
export class FieldSection {
  /** The text that the offsets refer to, one character a byte. */
  text = "";
  count = 0;
  /** Known fields that occur, and those that occur more than once, as bit masks. */
  seen = 0;
  repeated = 0;
  /**
   * First the index of each known field's first occurrence, meaningful only where `seen` has the bit; then the fields, one
   * beside the other; last where the final line ends. One array, because every further one is another miss in the cache.
   */
  #table: Uint16Array = new Uint16Array(fieldIdCount + initialFields * stride + 1);

  /** Empties the section. */
  clear(): void {
    this.text = "";
    this.count = 0;
    this.seen = 0;
    this.repeated = 0;
  }

  /** Where the line of a field starts; for `count`, where the last line ends. */
  lineStart(index: number): number {
    return this.#table[fieldIdCount + index * stride + line] as number;
  }

  valueStart(index: number): number {
    return this.#table[fieldIdCount + index * stride + valueStart] as number;
  }

  valueEnd(index: number): number {
    return this.#table[fieldIdCount + index * stride + valueEnd] as number;
  }

  id(index: number): number {
    return this.#table[fieldIdCount + index * stride + fieldId] as number;
  }

  name(index: number): string {
    return this.text.slice(this.lineStart(index), this.#table[fieldIdCount + index * stride + nameEnd]);
  }

  value(index: number): string {
    return this.text.slice(this.valueStart(index), this.valueEnd(index));
  }

  has(id: FieldId): boolean {
    return (this.seen & (1 << id)) !== 0;
  }

  /** Whether a known field occurs more than once. */
  isRepeated(id: FieldId): boolean {
    return (this.repeated & (1 << id)) !== 0;
  }

  /** Index of a known field's first occurrence; -1 where it does not occur. */
  indexOf(id: FieldId): number {
    return this.has(id) ? (this.#table[id] as number) : -1;
  }

  /** The first value of a known field, without surrounding white space. */
  valueOf(id: FieldId): string | undefined {
    return this.has(id) ? this.value(this.#table[id] as number) : undefined;
  }

  /** Every value of a known field, in order. */
  valuesOf(id: FieldId): string[] {
    const values: string[] = [];
    if (!this.has(id)) return values;
    for (let i = this.indexOf(id); i < this.count; i++) {
      if (this.id(i) === id) values.push(this.value(i));
    }
    return values;
  }

  /** Name, value, name, value, … as they came. */
  toRaw(): string[] {
    const raw: string[] = [];
    for (let i = 0; i < this.count; i++) raw.push(this.name(i), this.value(i));
    return raw;
  }
  // #endregion field-section

  // #region parse-fields
  /**
   * Reads field lines from `bytes[from)` up to and including the empty line, with offsets from `base`.
   *
   * The bytes must hold CR LF CR LF at or after `from - 2`: it ends every loop below. The caller sets `text`.
   * @see https://www.rfc-editor.org/rfc/rfc9112#section-5
   */
  parse(bytes: Uint8Array, base: number, from: number): Refusal | undefined {
    let table = this.#table;
    let i = from;
    let count = 0;
    let at = fieldIdCount;
    this.seen = 0;
    this.repeated = 0;
    while (bytes[i] !== CR) {
      if (at + stride >= table.length) {
        if (count >= maxFields) return tooMany;
        table = this.#grow();
      }
      const start = i;
      while (TOKEN[bytes[i] as number] === 1) i++;
      // A space before the colon is refused with the rest: some would read `Content-Length : 5` as a length, others not.
      if (bytes[i] !== COLON) return lineFault(bytes, start, i);
      if (i === start) return emptyName;
      const id = classifyName(bytes, start, i);
      table[at + line] = start - base;
      table[at + nameEnd] = i++ - base;
      table[at + fieldId] = id;
      while (bytes[i] === SP || bytes[i] === HTAB) i++;
      table[at + valueStart] = i - base;
      const first = i;
      while (FIELD_VALUE[bytes[i] as number] === 1) i++;
      if (bytes[i] !== CR || bytes[i + 1] !== LF) return badValue;
      let end = i;
      while (end > first && (bytes[end - 1] === SP || bytes[end - 1] === HTAB)) end--;
      table[at + valueEnd] = end - base;
      if (id !== Field.other) this.#note(id, count);
      i += 2;
      at += stride;
      count++;
    }
    if (bytes[i + 1] !== LF) return badValue;
    this.count = count;
    table[at + line] = i - base;
    return undefined;
  }

  #note(id: FieldId, index: number): void {
    const bit = 1 << id;
    if ((this.seen & bit) === 0) this.#table[id] = index;
    else this.repeated |= bit;
    this.seen |= bit;
  }

  #grow(): Uint16Array {
    const fields = Math.min(maxFields, ((this.#table.length - fieldIdCount - 1) / stride) * 2);
    const grown = new Uint16Array(fieldIdCount + fields * stride + 1);
    grown.set(this.#table);
    this.#table = grown;
    return grown;
  }
}

function lineFault(bytes: Uint8Array, lineStart: number, at: number): Refusal {
  const first = bytes[lineStart];
  return at === lineStart && (first === SP || first === HTAB) ? foldedLine : noColon;
}
// #endregion parse-fields
