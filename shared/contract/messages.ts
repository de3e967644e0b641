// Writes well-formed messages for the cases, so that only what a case is about stands in the case. A case about a
// malformed message writes its bytes by hand.

export interface RequestParts {
  /** @default "GET" */
  readonly method?: string;
  readonly target?: string;
  /** @default "1.1" */
  readonly version?: string;
  /** The routing key; null sends none. @default "acme", which tier1 serves */
  readonly key?: string | null;
  /** Lines such as `X-Name: value`, in order. A `Host` among them replaces the default one. */
  readonly fields?: readonly string[];
  /** Sent with its `Content-Length`, unless `fields` frame it. */
  readonly body?: string;
}

export function requestBytes(parts: RequestParts): string {
  const { method = "GET", target = "/", version = "1.1", key = "acme", fields = [], body } = parts;
  const lines = [`${method} ${target} HTTP/${version}`];
  if (!has(fields, "host")) lines.push("Host: cells.test");
  if (key !== null) lines.push(`X-Routing-Key: ${key}`);
  lines.push(...fields);
  if (body !== undefined && !framed(fields)) lines.push(`Content-Length: ${body.length}`);
  return `${lines.join("\r\n")}\r\n\r\n${body ?? ""}`;
}

/** A response with its `Content-Length`, unless `fields` frame it. */
export function responseBytes(status: string, fields: readonly string[] = [], body = ""): string {
  const lines = [`HTTP/1.1 ${status}`, ...fields];
  if (!framed(fields)) lines.push(`Content-Length: ${body.length}`);
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}

/** One chunk of a chunked body; an empty one ends it. */
export function chunk(data: string): string {
  return data === "" ? "0\r\n\r\n" : `${data.length.toString(16)}\r\n${data}\r\n`;
}

/** A body of `count` bytes that never repeats a place: a lost or doubled piece changes it. */
export function patternedBytes(count: number, from = 0): Buffer {
  const bytes = Buffer.allocUnsafe(count);
  for (let at = 0; at < count; at++) bytes[at] = 33 + (((from + at) * 31 + ((from + at) >> 8)) % 90);
  return bytes;
}

function framed(fields: readonly string[]): boolean {
  return has(fields, "content-length") || has(fields, "transfer-encoding");
}

function has(fields: readonly string[], name: string): boolean {
  return fields.some((field) => field.toLowerCase().startsWith(`${name}:`));
}
