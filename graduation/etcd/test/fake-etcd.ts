// A cluster in memory, which is as far away as a test says: requests and responses get lost where it wants.

import type { Etcd } from "../etcd-client.ts";
import { EtcdError } from "../etcd-error.ts";
import type { Entry, KeyRange, ReadOptions, TxnResult, WatchMessage } from "../etcd-messages.ts";

/** What happens to a transaction. "full-by-this": it is carried out, and gets the error of a full disk all the same. */
export type Loss = "not-sent" | "request-lost" | "response-lost" | "full" | "full-by-this";

interface Change {
  readonly revision: number;
  readonly changes: ReadonlyMap<string, Entry | undefined>;
}

export class FakeEtcd implements Etcd {
  clusterId = "7";
  #entries = new Map<string, Entry>();
  #revision = 1;
  #log: Change[] = [];
  /** All that there ever was, also what is compacted. */
  readonly #history: Change[] = [];
  #compacted = 0;
  #wake: (() => void)[] = [];
  /** One for each of the next transactions. */
  readonly losses: Loss[] = [];
  /** Called before the next transaction is carried out: what others do in this very moment. */
  meanwhile: (() => void) | undefined;
  /** Runs while the response to the next read is on its way. */
  afterRead: (() => Promise<unknown>) | undefined;
  /** No majority responds. */
  isDown = false;
  /** Values are longer than the client takes. */
  isTooLong = false;
  /** Watches stay open and say nothing. */
  isMute = false;
  txns = 0;

  async read(_budgetMs?: number, { keysOnly, revision }: ReadOptions = {}): Promise<KeyRange> {
    if (this.isDown) throw new EtcdError("unclear", "nobody responds");
    if (this.isTooLong && keysOnly !== true)
      throw new EtcdError("unclear", "longer than this takes", { isTooLong: true });
    if (revision !== undefined) return this.#rangeAt(revision);
    const range = this.#range();
    await Promise.resolve();
    const { afterRead } = this;
    this.afterRead = undefined;
    await afterRead?.();
    return range;
  }

  async txn(
    expected: Readonly<Record<string, number>>,
    puts: Readonly<Record<string, string>>,
  ): Promise<TxnResult> {
    this.txns += 1;
    const loss = this.losses.shift();
    if (this.isDown || loss === "not-sent") throw new EtcdError("not-sent", "no connection");
    if (loss === "request-lost") throw new EtcdError("unclear", "no response");
    if (loss === "full") throw new EtcdError("full", "no space");
    const { meanwhile } = this;
    this.meanwhile = undefined;
    meanwhile?.();
    const holds = Object.entries(expected).every(
      ([name, revision]) => (this.#entries.get(name)?.modRevision ?? 0) === revision,
    );
    if (holds) this.put(puts);
    if (loss === "response-lost") throw new EtcdError("unclear", "no response");
    if (loss === "full-by-this") throw new EtcdError("full", "no space");
    if (!holds) return { succeeded: false, found: this.#range() };
    return { succeeded: true, clusterId: this.clusterId, revision: this.#revision };
  }

  async *watch(fromRevision: number, signal: AbortSignal): AsyncGenerator<WatchMessage> {
    yield { kind: "created" };
    let next = fromRevision;
    for (;;) {
      if (signal.aborted) throw signal.reason;
      if (next <= this.#compacted) {
        yield { kind: "cancelled", compactRevision: this.#compacted, reason: "" };
        return;
      }
      const change = this.#log.find(({ revision }) => revision >= next);
      if (change === undefined || this.isMute) {
        await new Promise<void>((resolve) => {
          this.#wake.push(resolve);
          signal.addEventListener("abort", () => resolve(), { once: true });
        });
        continue;
      }
      next = change.revision + 1;
      yield { kind: "changes", ...change };
    }
  }

  async close(): Promise<void> {}

  /** Writes without a condition, as an operator with a client of etcd does. */
  put(puts: Readonly<Record<string, string | undefined>>): void {
    this.#revision += 1;
    const changes = new Map<string, Entry | undefined>();
    for (const [name, text] of Object.entries(puts)) {
      const version = (this.#entries.get(name)?.version ?? 0) + 1;
      const entry =
        text === undefined ? undefined : { value: Buffer.from(text), modRevision: this.#revision, version };
      changes.set(name, entry);
      if (entry === undefined) this.#entries.delete(name);
      else this.#entries.set(name, entry);
    }
    this.#log.push({ revision: this.#revision, changes });
    this.#history.push({ revision: this.#revision, changes });
    this.#wakeAll();
  }

  text(name: string): string {
    return this.#entries.get(name)?.value.toString("utf8") ?? "";
  }

  /** Forgets what came before: watches that have not got it are cancelled. */
  compact(): void {
    this.#compacted = this.#revision;
    this.#log = [];
    this.#wakeAll();
  }

  backup(): () => void {
    const [entries, revision] = [new Map(this.#entries), this.#revision];
    return () => {
      this.#entries = new Map(entries);
      this.#revision = revision;
      this.#log = [];
      this.#wakeAll();
    };
  }

  #range(): KeyRange {
    return { clusterId: this.clusterId, revision: this.#revision, entries: new Map(this.#entries) };
  }

  /** What the changes up to then make of nothing. */
  #rangeAt(revision: number): KeyRange {
    if (revision < this.#compacted) throw new EtcdError("refused", "required revision has been compacted");
    const entries = new Map<string, Entry>();
    for (const { changes } of this.#history.filter((change) => change.revision <= revision))
      for (const [name, entry] of changes)
        if (entry === undefined) entries.delete(name);
        else entries.set(name, entry);
    return { clusterId: this.clusterId, revision: this.#revision, entries };
  }

  #wakeAll(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}
