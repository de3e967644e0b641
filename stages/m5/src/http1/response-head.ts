// Reads one response head, as strictly as a request's: a cell that is wrong about where its response ends would have
// the router give one tenant's bytes to another.

import { CR, FIELD_VALUE, LF, SP } from "./bytes.ts";
import { type ConnectionOptions, connectionOptions } from "./connection-options.ts";
import { FieldSection } from "./field-section.ts";
import { type ResponseBody, responseBody } from "./framing.ts";
import { type Refusal, refusal } from "./refusal.ts";
import { type MinorVersion, minorVersionAt } from "./version.ts";

const badVersion = refusal("status line does not begin with HTTP/1.1 or HTTP/1.0");
const badStatus = refusal("status is not three digits");
const badReason = refusal("control byte, bare CR or bare LF in the reason phrase");

// #region response-head
/** One response's head. Reused from response to response on one connection. */
export class ResponseHead {
  readonly fields = new FieldSection();
  status = 0;
  minorVersion: MinorVersion = 1;
  connection: ConnectionOptions = { close: false, keepAlive: false, nominated: [] };
  body: ResponseBody = { kind: "none" };
  /** Where the fields begin in `fields.text`: what stands before is the status line. */
  fieldsStart = 0;
  /** Where the reason phrase begins; equal to `fieldsStart - 2` where there is none. */
  reasonStart = 0;

  get reason(): string {
    return this.fields.text.slice(this.reasonStart, this.fieldsStart - 2);
  }

  /**
   * Reads the head in `bytes[from, to)`, which ends with the first empty line after `from`, of a response to `method`.
   * Returns why it is refused, or undefined; after a refusal this object's content means nothing.
   */
  parse(bytes: Buffer, from: number, to: number, method: string): Refusal | undefined {
    const minor = minorVersionAt(bytes, from);
    if (minor === undefined || bytes[from + 8] !== SP) return badVersion;
    let i = from + 9;
    let status = 0;
    for (; i < from + 12; i++) {
      const digit = (bytes[i] as number) - 0x30;
      if (!(digit >= 0 && digit <= 9)) return badStatus;
      status = status * 10 + digit;
    }
    if (status < 100) return badStatus;
    // The space before an empty reason phrase is part of the grammar, but many servers leave it out.
    if (bytes[i] === SP) i++;
    else if (bytes[i] !== CR) return badStatus;
    this.reasonStart = i - from;
    while (FIELD_VALUE[bytes[i] as number] === 1) i++;
    if (bytes[i] !== CR || bytes[i + 1] !== LF) return badReason;
    i += 2;
    this.fieldsStart = i - from;
    const fault = this.fields.parse(bytes, from, i);
    if (fault !== undefined) return fault;

    this.fields.text = bytes.toString("latin1", from, to);
    this.status = status;
    this.minorVersion = minor;
    const connection = connectionOptions(this.fields);
    if ("rule" in connection) return connection;
    this.connection = connection;
    const body = responseBody(this.fields, minor, method, status);
    if ("rule" in body) return body;
    this.body = body;
    return undefined;
  }
}
// #endregion response-head
