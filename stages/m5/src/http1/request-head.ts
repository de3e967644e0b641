// Reads one request head, strictly: what two parsers could read in two ways is refused, because an attacker who
// finds such a message can hide a request from this router inside one for the cell.
// Where the head ends is the business of `head-reader.ts`; what its body is, of `framing.ts`.

import { CR, HOST, LF, SP, TARGET, TOKEN } from "./bytes.ts";
import { type ConnectionOptions, connectionOptions, membersOf } from "./connection-options.ts";
import { Field } from "./field-names.ts";
import { FieldSection } from "./field-section.ts";
import { type RequestBody, requestBody } from "./framing.ts";
import { type Refusal, refusal } from "./refusal.ts";
import { type MinorVersion, minorVersionAt } from "./version.ts";

const badMethod = refusal("method is not a token followed by one space");
const badTargetByte = refusal("byte that does not belong in a target");
const badVersion = refusal("no version at the end of the request line");
const otherVersion = refusal("version is not HTTP/1.1 or HTTP/1.0", "version-not-supported");
const noHost = refusal("no Host in HTTP/1.1", "ambiguous-host");
const twoHosts = refusal("more than one Host", "ambiguous-host");
const badHost = refusal("byte that does not belong in a host", "ambiguous-host");
const badForm = refusal("target in none of the four forms", "unsupported-target");

const noBody: RequestBody = { kind: "none" };

// #region request-head
/** One request's head. Reused from request to request on one connection. */
export class RequestHead {
  readonly fields = new FieldSection();
  method = "";
  /** The target as it came. */
  target = "";
  /** Path and query in origin form; `*` for the asterisk form; empty for CONNECT. */
  path = "";
  minorVersion: MinorVersion = 1;
  connection: ConnectionOptions = { close: false, keepAlive: false, nominated: [] };
  body: RequestBody = noBody;
  /** The authority of a target in absolute form. */
  #targetHost: string | undefined;

  /** Host and port that the client asked for; undefined only for HTTP/1.0 without one. */
  get host(): string | undefined {
    return this.#targetHost ?? this.fields.valueOf(Field.host);
  }

  /**
   * `continue`: the client waits for 100 Continue. `other`: it expects what nobody here knows. HTTP/1.0 has no expectations.
   * @see https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1
   */
  get expectation(): "none" | "continue" | "other" {
    if (this.minorVersion === 0 || !this.fields.has(Field.expect)) return "none";
    const members = membersOf(this.fields.valuesOf(Field.expect));
    if (members.length === 0) return "none";
    return members.every((member) => member === "100-continue") ? "continue" : "other";
  }

  /**
   * How many more times an OPTIONS request may be forwarded; undefined where no number says so. Other methods, and a value
   * that is no number, are none of a proxy's business.
   * @see https://www.rfc-editor.org/rfc/rfc9110#section-7.6.2
   */
  get maxForwards(): number | undefined {
    if (this.method !== "OPTIONS" || !this.fields.has(Field.maxForwards)) return undefined;
    const values = this.fields.valuesOf(Field.maxForwards);
    const [value = ""] = values;
    if (values.length !== 1 || !/^\d+$/.test(value)) return undefined;
    return Math.min(Number(value), Number.MAX_SAFE_INTEGER);
  }

  /** Forgets everything: what is left of a refused head, or of the one before it, must not pass for this one's. */
  clear(): void {
    this.fields.clear();
    this.method = "";
    this.target = "";
    this.path = "";
    this.#targetHost = undefined;
    this.body = noBody;
  }

  /**
   * Reads the head in `bytes[start, to)`, which ends with the first empty line.
   * Returns why it is refused, or undefined; after a refusal this object's content means nothing.
   */
  parse(bytes: Buffer, start: number, to: number): Refusal | undefined {
    // One empty line before a request is forgiven: old clients end a body with one (§2.2).
    const from = bytes[start] === CR && bytes[start + 1] === LF ? start + 2 : start;
    let i = from;
    while (TOKEN[bytes[i] as number] === 1) i++;
    if (i === from || bytes[i] !== SP) return badMethod;
    const methodEnd = i;
    const targetStart = ++i;
    while (TARGET[bytes[i] as number] === 1) i++;
    if (bytes[i] !== SP || i === targetStart) return badTargetByte;
    const targetEnd = i++;
    const minor = minorVersionAt(bytes, i);
    if (minor === undefined || bytes[i + 8] !== CR || bytes[i + 9] !== LF) {
      return /^HTTP\/\d\.\d\r\n/.test(bytes.toString("latin1", i, i + 10)) ? otherVersion : badVersion;
    }
    const fault = this.fields.parse(bytes, from, i + 10);
    if (fault !== undefined) return fault;

    const text = bytes.toString("latin1", from, to);
    this.fields.text = text;
    this.method = isGet(bytes, from, methodEnd) ? "GET" : text.slice(0, methodEnd - from);
    this.target = text.slice(targetStart - from, targetEnd - from);
    this.minorVersion = minor;
    return this.#readHost(bytes, from) ?? this.#readTarget() ?? this.#readFraming();
  }

  /** @see https://www.rfc-editor.org/rfc/rfc9112#section-3.2 */
  #readHost(bytes: Buffer, base: number): Refusal | undefined {
    const { fields } = this;
    this.#targetHost = undefined;
    if (!fields.has(Field.host)) return this.minorVersion === 1 ? noHost : undefined;
    if (fields.isRepeated(Field.host)) return twoHosts;
    const index = fields.indexOf(Field.host);
    const end = base + fields.valueEnd(index);
    for (let i = base + fields.valueStart(index); i < end; i++) {
      if (HOST[bytes[i] as number] !== 1) return badHost;
    }
    return undefined;
  }

  /**
   * In absolute form the target's authority is the host, whatever the `Host` field says.
   * @see https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2
   */
  #readTarget(): Refusal | undefined {
    const { target } = this;
    this.path = target;
    // CONNECT has a form of its own, and nothing in front of its host can be told from a path.
    if (this.method === "CONNECT") {
      this.path = "";
      return /^[^/?@]+:\d+$/.test(target) ? undefined : badForm;
    }
    if (target.startsWith("/")) return undefined;
    if (target === "*") return this.method === "OPTIONS" ? undefined : badForm;
    const absolute = /^https?:\/\/([^/?]+)([/?].*)?$/i.exec(target);
    if (absolute === null) return badForm;
    const [, authority = "", rest = ""] = absolute;
    if (!/^[-._~%!$&'()*+;=:[\]0-9A-Za-z]+$/.test(authority)) return badForm;
    this.#targetHost = authority;
    this.path = rest.startsWith("/") ? rest : `/${rest}`;
    // Without a path, it asks about the server as a whole. https://www.rfc-editor.org/rfc/rfc9112#section-3.2.4
    if (rest === "" && this.method === "OPTIONS") this.path = "*";
    return undefined;
  }

  #readFraming(): Refusal | undefined {
    const connection = connectionOptions(this.fields);
    if ("rule" in connection) return connection;
    this.connection = connection;
    const body = requestBody(this.fields, this.minorVersion);
    if ("rule" in body) return body;
    // What follows CONNECT is a tunnel, if anything (RFC 9110 §9.3.6).
    this.body = this.method === "CONNECT" ? noBody : body;
    return undefined;
  }
}
// #endregion request-head

/** The most common method by far is not worth a new string each time. */
function isGet(bytes: Uint8Array, from: number, to: number): boolean {
  return to - from === 3 && bytes[from] === 0x47 && bytes[from + 1] === 0x45 && bytes[from + 2] === 0x54;
}
