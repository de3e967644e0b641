// What keeps this control plane from following the cluster, or from writing: told once, and shown by `/healthz`.

import { StoreFaults } from "../../stages/m4/src/control-plane/store-faults.ts";
import type { Content } from "./epoch.ts";
import { EtcdError } from "./etcd-error.ts";
import { invalidWords } from "./last-valid.ts";

export class EtcdFaults {
  /** "file" is about the table's content here, and "disk" about the cluster. */
  readonly #faults: StoreFaults;

  readonly #tableKey: string;

  constructor(tableKey: string, onFault: (error: Error) => void) {
    this.#tableKey = tableKey;
    this.#faults = new StoreFaults(onFault);
  }

  words(): string | null {
    return this.#faults.words();
  }

  noteContent(content: Content): void {
    if (content.kind === "valid") this.#faults.end("file");
    else if (content.kind === "absent")
      this.#faults.note("file", `The key ${this.#tableKey} in etcd was deleted`);
    else this.noteInvalid(content.faults);
  }

  /** Returns the words; so do the others. */
  noteInvalid(faults: readonly string[]): string {
    const words = invalidWords(this.#tableKey, faults);
    this.#faults.note("file", words);
    return words;
  }

  /** Of a read. A majority responds, so this is no fault of the cluster, and lasts until the keys could be read. */
  noteUnread(error: unknown): string {
    if (!(error instanceof EtcdError && error.isTooLong)) return this.noteUnreachable(error);
    const words = `The keys beside ${this.#tableKey} in etcd cannot be read: ${error.message}`;
    this.#faults.note("file", words);
    return words;
  }

  noteReachable(): void {
    this.#faults.end("disk");
  }

  noteUnreachable(error: unknown): string {
    return this.#note("No majority of the etcd cluster responds", error);
  }

  noteUnconfirmed(error: unknown): string {
    return this.#note("etcd did not confirm a write", error);
  }

  noteFailedWrite(error: EtcdError): string {
    const isRefused = error.kind === "refused" || error.kind === "full";
    return isRefused ? this.#note("etcd takes no write", error) : this.noteUnread(error);
  }

  #note(what: string, error: unknown): string {
    const words = `${what}: ${error instanceof Error ? error.message : error}`;
    this.#faults.note("disk", words);
    return words;
  }
}
