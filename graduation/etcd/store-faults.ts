// What keeps this control plane from following the cluster, or from writing: told once, and shown by `/healthz`.

import { StoreFaults } from "../../stages/m4/src/control-plane/store-faults.ts";
import type { Content } from "./epoch.ts";

export class EtcdFaults {
  /** "file" is about the table's content here, and "disk" about the cluster. */
  readonly #faults: StoreFaults;

  constructor(onFault: (error: Error) => void) {
    this.#faults = new StoreFaults(onFault);
  }

  words(): string | null {
    return this.#faults.words();
  }

  noteContent(content: Content): void {
    if (content.kind === "valid") this.#faults.end("file");
    else if (content.kind === "absent") this.#faults.note("file", "the table's key was deleted");
    else this.#faults.note("file", content.faults.join("\n"));
  }

  noteReachable(): void {
    this.#faults.end("disk");
  }

  /** Returns the words; so do the others. */
  noteUnreachable(error: unknown): string {
    return this.#note("No majority of the etcd cluster responds", error);
  }

  noteUnconfirmed(error: unknown): string {
    return this.#note("etcd did not confirm a write", error);
  }

  noteRefused(error: unknown): string {
    return this.#note("etcd takes no write", error);
  }

  #note(what: string, error: unknown): string {
    const words = `${what}: ${error instanceof Error ? error.message : error}`;
    this.#faults.note("disk", words);
    return words;
  }
}
