// Reads the body of a message, by its length, its chunks or the end of the connection, and says how it ended.

import { type ByteReader, type ConnectionEnd, EndOfBytes, excerpt } from "./byte-reader.ts";
import { HeaderFields, NotHttp, parseFields } from "./header-fields.ts";

/**
 * How a message ended. `complete`: by its own framing. `until-close`: its length was "until the connection closes" and
 * it closed in order. `truncated`: the connection ended too early, or was reset.
 */
export type MessageEnding = "complete" | "until-close" | "truncated";

export interface Message {
  readonly headers: HeaderFields;
  readonly trailers: HeaderFields;
  /** Empty where the body was not kept (`onBody`). */
  readonly body: Buffer;
  readonly bodyBytes: number;
  readonly framing: "none" | "length" | "chunked" | "until-close";
  readonly ending: MessageEnding;
}

export interface ReadBodyOptions {
  /** Takes each piece of the body instead of keeping it. Awaited: a slow one makes a slow reader. */
  readonly onBody?: (piece: Buffer) => void | Promise<void>;
}

const noFields = new HeaderFields([]);

/** Reads a body of that many bytes, or in that framing. @throws NotHttp */
export async function readBody(
  reader: ByteReader,
  headers: HeaderFields,
  framing: number | "chunked" | "until-close",
  options: ReadBodyOptions,
): Promise<Message> {
  const kept: Buffer[] = [];
  let bodyBytes = 0;
  const take = async (piece: Buffer) => {
    bodyBytes += piece.length;
    if (options.onBody === undefined) kept.push(piece);
    else await options.onBody(piece);
  };
  const message = (ending: MessageEnding, trailers: HeaderFields = noFields): Message => ({
    headers,
    trailers,
    body: Buffer.concat(kept),
    bodyBytes,
    framing: framing === 0 ? "none" : typeof framing === "number" ? "length" : framing,
    ending,
  });
  try {
    if (framing === "until-close") {
      const end = await readUntilClose(reader, take);
      return message(end === "closed" ? "until-close" : "truncated");
    }
    if (framing === "chunked") return message("complete", await readChunks(reader, take));
    await readPieces(reader, framing, take);
    return message("complete");
  } catch (error) {
    if (error instanceof EndOfBytes) return message("truncated");
    throw error;
  }
}

type Take = (piece: Buffer) => Promise<void>;

async function readPieces(reader: ByteReader, count: number, take: Take): Promise<void> {
  for (let left = count; left > 0; ) {
    const piece = await reader.upTo(left);
    if (piece === undefined) throw new EndOfBytes(reader.end ?? "closed", Buffer.alloc(0));
    left -= piece.length;
    await take(piece);
  }
}

async function readUntilClose(reader: ByteReader, take: Take): Promise<ConnectionEnd> {
  for (;;) {
    const piece = await reader.chunk();
    if (piece === undefined) return reader.end ?? "closed";
    await take(piece);
  }
}

/** RFC 9112 §7.1, without chunk extensions: a proxy that re-frames has none to send. */
async function readChunks(reader: ByteReader, take: Take): Promise<HeaderFields> {
  for (;;) {
    const line = (await reader.through("\r\n", 1024)).toString("latin1").slice(0, -2);
    if (!/^[0-9A-Fa-f]{1,12}$/.test(line)) throw new NotHttp(`Not a chunk size: ${JSON.stringify(line)}`);
    const size = Number.parseInt(line, 16);
    if (size === 0) return readTrailers(reader);
    await readPieces(reader, size, take);
    const after = await reader.exactly(2);
    if (after.toString("latin1") !== "\r\n")
      throw new NotHttp(`After a chunk: ${JSON.stringify(excerpt(after))}`);
  }
}

async function readTrailers(reader: ByteReader): Promise<HeaderFields> {
  const lines: string[] = [];
  for (;;) {
    const line = (await reader.through("\r\n")).toString("latin1").slice(0, -2);
    if (line === "") return parseFields(lines);
    lines.push(line);
  }
}
