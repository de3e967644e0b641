// Who may talk to the control plane: the token, and why a browser may not. Writes no response; `http-api.ts` does.

import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { mkdir } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { dirname } from "node:path";
import { codeOf, systemDisk } from "./disk.ts";

/** Many times the size of a token. */
const maxTokenFileBytes = 64 * 1024;

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

/**
 * The token in the file at `path`, made there on the first run, and again when the file is empty.
 * @throws Error when there is something else, or when others than the owner can read it
 */
export async function readOrMakeToken(path: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const present = await systemDisk.read(path, maxTokenFileBytes).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return undefined;
    throw new Error(`Cannot read the token: ${error instanceof Error ? error.message : error}`);
  });
  const text = present?.bytes.toString("utf8").trim() ?? "";
  if (present === undefined || text === "") return await makeToken(path, present !== undefined);
  // Windows has no such bits: there, the folder's access list decides.
  if (process.platform !== "win32" && (present.stats.mode & 0o077n) !== 0n)
    throw new Error(`Others can read the token: run chmod 600 ${path}`);
  if (!/^[\x21-\x7e]{16,}$/.test(text))
    throw new Error(
      `No token of 16 or more printable characters in ${path}: delete the file to make a new one`,
    );
  return text;
}

/** A file that has the name has its content: a crash leaves no empty one. */
async function makeToken(path: string, isThere: boolean): Promise<string> {
  const token = randomBytes(32).toString("base64url");
  const draft = `${path}.draft`;
  try {
    await systemDisk.remove(draft);
    await systemDisk.create(draft, `${token}\n`, 0o600);
    if (isThere) systemDisk.rename(draft, path);
    else systemDisk.link(draft, path);
    return token;
  } catch (error) {
    // Of two that start at once, one makes the file and the other reads it.
    if (codeOf(error) === "EEXIST") return await readOrMakeToken(path);
    throw error;
  } finally {
    await systemDisk.remove(draft);
  }
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

/** Why a request cannot become a router's link, or undefined. */
export function linkFault(
  req: IncomingMessage,
  { bearer, host }: { readonly bearer: Bearer; readonly host: string },
): ReturnType<typeof browserFault> | "unauthorized" {
  return browserFault(req, host) ?? (bearer.admits(req) ? undefined : "unauthorized");
}
