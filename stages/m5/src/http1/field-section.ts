// A field section (header or trailer) as one string and a table of offsets into it. Nothing is copied out of the
// string until someone asks: most fields of most messages are passed on and never looked at.

import { COLON, CR, FIELD_VALUE, HTAB, LF, SP, TOKEN } from "./bytes.ts";
import { classifyName, Field, type FieldId, fieldIdCount, fieldIdOf } from "./field-names.ts";
import { type Refusal, refusal } from "./refusal.ts";

/** Most fields in one section. Offsets are 16-bit: a section is at most 64 KiB. */
export const maxFields = 256;

const emptyName = refusal("empty field name");
const foldedLine = refusal("obs-fold");
const noColon = refusal("field name is not a token followed by a colon");
const badValue = refusal("control byte, bare CR or bare LF in a field value");
const tooMany = refusal("too many fields", "header-fields-too-large");
const badConnection = refusal("Connection names what is not a token");

const noNames: readonly string[] = [];

// #region field-section
/** Reused from message to message: parsing fills it, and what it says holds until the next parse. */
export class FieldSection {
  /** The text that the offsets refer to, one character a byte. */
  text = "";
  count = 0;
  /** Where each line starts, which is where its name starts; entry `count` is where the section's last line ends. */
  readonly lineStart = new Uint16Array(maxFields + 1);
  readonly nameEnd = new Uint16Array(maxFields);
  readonly valueStart = new Uint16Array(maxFields);
  readonly valueEnd = new Uint16Array(maxFields);
  readonly ids = new Uint8Array(maxFields);
  /** Known fields that occur, and those that occur more than once, as bit masks. */
  seen = 0;
  repeated = 0;
  /** Index of the first occurrence by id; meaningful only where `seen` has the bit. */
  readonly first = new Uint16Array(fieldIdCount);

  name(index: number): string {
    return this.text.slice(this.lineStart[index], this.nameEnd[index]);
  }

  value(index: number): string {
    return this.text.slice(this.valueStart[index], this.valueEnd[index]);
  }

  has(id: FieldId): boolean {
    return (this.seen & (1 << id)) !== 0;
  }

  /** The first value of a known field, without surrounding white space. */
  valueOf(id: FieldId): string | undefined {
    return this.has(id) ? this.value(this.first[id] as number) : undefined;
  }

  /** Every value of a known field, in order. */
  valuesOf(id: FieldId): string[] {
    const values: string[] = [];
    if (!this.has(id)) return values;
    for (let i = this.first[id] as number; i < this.count; i++) {
      if (this.ids[i] === id) values.push(this.value(i));
    }
    return values;
  }

  /** Name, value, name, value, … as they came. */
  toRaw(): string[] {
    const raw: string[] = [];
    for (let i = 0; i < this.count; i++) raw.push(this.name(i), this.value(i));
    return raw;
  }
}
// #endregion field-section

// #region parse-fields
/**
 * Reads field lines from `bytes[from)` up to and including the empty line, and fills `section` with offsets from `base`.
 *
 * The bytes must hold CR LF CR LF at or after `from - 2`: it ends every loop below. The caller sets `section.text`.
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-5
 */
export function parseFields(
  bytes: Uint8Array,
  base: number,
  from: number,
  section: FieldSection,
): Refusal | undefined {
  let i = from;
  let count = 0;
  section.seen = 0;
  section.repeated = 0;
  while (bytes[i] !== CR) {
    if (count === maxFields) return tooMany;
    const nameStart = i;
    while (TOKEN[bytes[i] as number] === 1) i++;
    // A space before the colon is refused with the rest: some would read `Content-Length : 5` as a length, others not.
    if (bytes[i] !== COLON) return lineFault(bytes, nameStart, i);
    if (i === nameStart) return emptyName;
    const nameEnd = i++;
    while (bytes[i] === SP || bytes[i] === HTAB) i++;
    const valueStart = i;
    while (FIELD_VALUE[bytes[i] as number] === 1) i++;
    if (bytes[i] !== CR || bytes[i + 1] !== LF) return badValue;
    let valueEnd = i;
    while (valueEnd > valueStart && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === HTAB)) valueEnd--;
    i += 2;

    section.lineStart[count] = nameStart - base;
    section.nameEnd[count] = nameEnd - base;
    section.valueStart[count] = valueStart - base;
    section.valueEnd[count] = valueEnd - base;
    const id = classifyName(bytes, nameStart, nameEnd);
    section.ids[count] = id;
    if (id !== Field.other) note(section, id, count);
    count++;
  }
  if (bytes[i + 1] !== LF) return badValue;
  section.count = count;
  section.lineStart[count] = i - base;
  return undefined;
}

function note(section: FieldSection, id: FieldId, index: number): void {
  const bit = 1 << id;
  if ((section.seen & bit) === 0) section.first[id] = index;
  else section.repeated |= bit;
  section.seen |= bit;
}

function lineFault(bytes: Uint8Array, lineStart: number, at: number): Refusal {
  const first = bytes[lineStart];
  return at === lineStart && (first === SP || first === HTAB) ? foldedLine : noColon;
}
// #endregion parse-fields

// #region connection-options
/** What the `Connection` fields of one message say. */
export interface ConnectionOptions {
  readonly close: boolean;
  readonly keepAlive: boolean;
  /** Names of further fields that stop at this hop, in lower case. Known fields are listed too. */
  readonly nominated: readonly string[];
}

const silent: ConnectionOptions = { close: false, keepAlive: false, nominated: noNames };
const close: ConnectionOptions = { close: true, keepAlive: false, nominated: noNames };
const keepAlive: ConnectionOptions = { close: false, keepAlive: true, nominated: noNames };

/** Not `trim()`, which takes more than HTTP's white space: a no-break space is part of a member, and a fault. */
const outerSpace = /^[ \t]+|[ \t]+$/g;
const token = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;

/**
 * Reads every `Connection` field of a section. A member that is not a token is refused: parties that split the list
 * differently would keep different fields.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
 */
export function connectionOptions(section: FieldSection): ConnectionOptions | Refusal {
  if (!section.has(Field.connection)) return silent;
  const value = section.valueOf(Field.connection) ?? "";
  if ((section.repeated & (1 << Field.connection)) === 0) {
    // Nearly every message says one of these two, so they cost no list.
    if (value === "close") return close;
    if (value === "keep-alive" || value === "Keep-Alive") return keepAlive;
  }
  const members = section
    .valuesOf(Field.connection)
    .flatMap((each) => each.split(","))
    .map((member) => member.replace(outerSpace, "").toLowerCase())
    .filter((member) => member !== "");
  if (!members.every((member) => token.test(member))) return badConnection;
  return {
    close: members.includes("close"),
    keepAlive: members.includes("keep-alive"),
    nominated: members.filter((member) => member !== "close" && member !== "keep-alive"),
  };
}

/** Whether a field nominated by `Connection` may be dropped: `protectedIds` are fields that it cannot name away. */
export function isNominable(lowerName: string, protectedIds: number): boolean {
  return (protectedIds & (1 << fieldIdOf(lowerName))) === 0;
}
// #endregion connection-options
