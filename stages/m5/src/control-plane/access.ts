// Who may talk to the control plane: the token, and why a browser may not. Makes no answer; `http-api.ts` does.

import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { mkdir, open, readFile, stat } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { dirname } from "node:path";

// #region token
/** Tells whether a request carries the token that this was made with. */
export class Bearer {
  readonly #digest: Buffer;

  constructor(token: string) {
    this.#digest = digestOf(token);
  }

  /** Takes as long for a wrong token as for the right one: digests have one length, and all of it is compared. */
  admits(req: IncomingMessage): boolean {
    const [, presented = ""] = /^Bearer +([\x21-\x7e]+) *$/i.exec(req.headers.authorization ?? "") ?? [];
    return timingSafeEqual(digestOf(presented), this.#digest);
  }
}

function digestOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/** The token in the file at `path`, made there on the first run. @throws Error when others than the owner can read it */
export async function readOrMakeToken(path: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  try {
    // "wx": of two that start at once, one makes the file and the other reads it.
    await using file = await open(path, "wx", 0o600);
    const token = randomBytes(32).toString("base64url");
    await file.writeFile(`${token}\n`);
    await file.sync();
    return token;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
  const { mode } = await stat(path);
  // Windows has no such bits: there, the folder's access list decides.
  if (process.platform !== "win32" && (mode & 0o077) !== 0)
    throw new Error(`Others can read the token: run chmod 600 ${path}`);
  const token = (await readFile(path, "utf8")).trim();
  if (!/^[\x21-\x7e]{16,}$/.test(token))
    throw new Error(
      `No token of 16 or more printable characters in ${path}: delete the file to make a new one`,
    );
  return token;
}
// #endregion token

// #region browsers
/**
 * Why this request may come from a browser page of someone else, or undefined.
 *
 * Browsers send `Origin` with every WebSocket and every cross-site write, and programs do not. `Host` guards the rest:
 * a page can point a name of its own at 127.0.0.1 (DNS rebinding), but then its requests carry that name.
 */
export function browserFault(
  req: IncomingMessage,
  ownHost: string,
): "origin-refused" | "host-refused" | undefined {
  if (req.headers.origin !== undefined) return "origin-refused";
  const name = /^(\[[^\]]*\]|[^:]*)(:\d+)?$/.exec(req.headers.host ?? "")?.[1]?.toLowerCase() ?? "";
  const isAddress = isIP(name.replace(/^\[|\]$/g, "")) !== 0;
  return isAddress || name === "localhost" || name === ownHost.toLowerCase() ? undefined : "host-refused";
}
// #endregion browsers
