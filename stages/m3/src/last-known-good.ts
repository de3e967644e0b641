// The newest snapshot that this router applied, kept on disk: with it a router starts while its control plane is down.
// Owns the file's form and its safe replacement. A disk that fails costs the next start its table, never a request.

import { mkdir, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import writeFileAtomic from "write-file-atomic";
import { z } from "zod";

const schema = z.object({
  format: z.literal(1),
  epoch: z.string().min(1),
  revision: z.number().int().min(1),
  /** SHA-256 of the canonical `table`; it tells a torn or edited file from a whole one. */
  checksum: z.string(),
  /** When the snapshot was applied, in ISO 8601. */
  appliedAt: z.string(),
  table: z.unknown(),
});

export type SavedSnapshot = Omit<Readonly<z.infer<typeof schema>>, "format">;

export type LoadResult =
  | { readonly kind: "found"; readonly snapshot: SavedSnapshot }
  | { readonly kind: "none" }
  /** The file is unreadable or damaged; a damaged one now lies at `setAside`, so that it can be looked at. */
  | { readonly kind: "damaged"; readonly fault: string; readonly setAside?: string };

export interface LastKnownGoodDependencies {
  readonly path: string;
  readonly checksumOf: (document: unknown) => string | Promise<string>;
  /** Told of every write that failed. */
  readonly onError: (error: Error) => void;
}

// #region last-known-good
export class LastKnownGood {
  readonly #deps: LastKnownGoodDependencies;
  #waiting: SavedSnapshot | undefined;
  #writing: Promise<void> | undefined;

  constructor(dependencies: LastKnownGoodDependencies) {
    this.#deps = dependencies;
  }

  /** Reads the file. Never rejects: without it the router starts from something else. */
  async load(): Promise<LoadResult> {
    let text: string;
    try {
      text = await readFile(this.#deps.path, "utf8");
    } catch (error) {
      if (isMissing(error)) return { kind: "none" };
      return { kind: "damaged", fault: messageOf(error) };
    }
    try {
      const { format: _, ...snapshot } = schema.parse(JSON.parse(text));
      const found = await this.#deps.checksumOf(snapshot.table);
      if (found === snapshot.checksum) return { kind: "found", snapshot };
      return await this.#setAside(`checksum: expected ${snapshot.checksum}, the file has ${found}`);
    } catch (error) {
      return await this.#setAside(messageOf(error));
    }
  }

  /**
   * Writes `snapshot` when the writes before it are done, and resolves when nothing waits any more. Of several that
   * wait, only the newest is written. Never rejects.
   */
  save(snapshot: SavedSnapshot): Promise<void> {
    this.#waiting = snapshot;
    this.#writing ??= this.#writeAll();
    return this.#writing;
  }

  /** Resolves when everything that was given to `save` is on disk, or has failed. */
  async flushed(): Promise<void> {
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    for (let next = this.#waiting; next !== undefined; next = this.#waiting) {
      this.#waiting = undefined;
      try {
        await mkdir(dirname(this.#deps.path), { recursive: true, mode: 0o700 });
        // A temporary file beside it, fsync, rename: a crash leaves the old file or the new one, whole.
        await writeFileAtomic(this.#deps.path, JSON.stringify({ format: 1, ...next }), { mode: 0o600 });
      } catch (error) {
        this.#deps.onError(error instanceof Error ? error : new Error(String(error)));
      }
    }
    // In the same turn as the last look: a snapshot that comes now starts writing anew.
    this.#writing = undefined;
  }

  /** Moves a damaged file out of the way: the next start must not trip over it, and somebody may want to see it. */
  async #setAside(fault: string): Promise<LoadResult> {
    const setAside = `${this.#deps.path}.damaged`;
    try {
      await rename(this.#deps.path, setAside);
      return { kind: "damaged", fault, setAside };
    } catch (error) {
      return { kind: "damaged", fault: `${fault}; cannot set it aside: ${messageOf(error)}` };
    }
  }
}
// #endregion last-known-good

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function messageOf(error: unknown): string {
  if (error instanceof z.ZodError) return z.prettifyError(error);
  return error instanceof Error ? error.message : String(error);
}
