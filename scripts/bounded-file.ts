// Files that a person or another program names: read up to a bound, so that a device or a file without end is an error.

import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from "node:fs";
import { UsageError } from "./command-line.ts";

/** The content of a file or of a pipe, such as `<(jq … table.json)`. @throws UsageError that names the file */
export function readBounded(file: string, maxBytes: number): Buffer {
  try {
    return readOpen(openSync(file, "r"), maxBytes).bytes;
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

/** A small regular file. Waits for nobody, as the opening of a named pipe would. @throws Error */
export function readSmallFile(
  file: string,
  maxBytes: number,
): { readonly text: string; readonly modifiedAtMs: number } {
  const { bytes, stats } = readOpen(
    openSync(file, constants.O_RDONLY | constants.O_NONBLOCK),
    maxBytes,
    true,
  );
  return { text: bytes.toString("utf8"), modifiedAtMs: stats.mtimeMs };
}

function readOpen(
  fd: number,
  maxBytes: number,
  isRegular = false,
): { readonly bytes: Buffer; readonly stats: Stats } {
  try {
    const stats = fstatSync(fd);
    if (isRegular && !stats.isFile()) throw new Error("not a regular file");
    const chunks: Buffer[] = [];
    for (let bytes = 0; bytes <= maxBytes; ) {
      const chunk = Buffer.allocUnsafe(64 * 1024);
      const read = readSync(fd, chunk);
      if (read === 0) return { bytes: Buffer.concat(chunks), stats };
      chunks.push(chunk.subarray(0, read));
      bytes += read;
    }
    throw new Error(`larger than ${maxBytes} bytes`);
  } finally {
    closeSync(fd);
  }
}
