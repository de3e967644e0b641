// What the `Connection` fields of a message say about the connection, and which of its fields stop at this hop.

import { Field } from "./field-names.ts";
import type { FieldSection } from "./field-section.ts";
import { type Refusal, refusal } from "./refusal.ts";

const badConnection = refusal("Connection names what is not a token");

const noNames: readonly string[] = [];

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

/** The members of a list field without quoted strings, in lower case; empty ones are left out. */
export function membersOf(values: readonly string[]): string[] {
  return values
    .flatMap((each) => each.split(","))
    .map((member) => member.replace(outerSpace, "").toLowerCase())
    .filter((member) => member !== "");
}

const token = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;

/**
 * Reads every `Connection` field of a section. A member that is not a token is refused: parties that split the list
 * differently would keep different fields.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
 */
export function connectionOptions(section: FieldSection): ConnectionOptions | Refusal {
  if (!section.has(Field.connection)) return silent;
  const value = section.valueOf(Field.connection) ?? "";
  if (!section.isRepeated(Field.connection)) {
    // Nearly every message says one of these two, so they cost no list.
    if (value === "close") return close;
    if (value === "keep-alive" || value === "Keep-Alive") return keepAlive;
  }
  const members = membersOf(section.valuesOf(Field.connection));
  if (!members.every((member) => token.test(member))) return badConnection;
  return {
    close: members.includes("close"),
    keepAlive: members.includes("keep-alive"),
    nominated: members.filter((member) => member !== "close" && member !== "keep-alive"),
  };
}
// #endregion connection-options
