// Some hundred routers' ends of links in one process of the fleet bench: each is the stage's own client and receiver, with
// its WebSocket, pings, liveness and reconnects. Only what is the same for all is kept and worked on once: the bytes of a
// message, the table in it, and the document that a delta gives. In a fleet each machine would do that with its own
// copy, at the same time; on one machine it would measure the parser and fill the memory with a thousand tables.
import { setImmediate } from "node:timers/promises";
import pino from "pino";
import { loadRouterEnd } from "./load-router-end.ts";
import { machineNowMs } from "./machine-clock.ts";
import type { Decoded, FleetStage, RouterEnd } from "./router-end.ts";

/** What the parent asks for, as JSON in the first argument. */
export type ClientsJob = {
  readonly stage: FleetStage;
  /** Whether the routers offer to take deltas. */
  readonly acceptsDeltas: boolean;
  readonly url: string;
  readonly token: string;
  readonly first: number;
  readonly count: number;
  readonly maxMessageBytes: number;
};

/** Every client of a process runs `revision`. */
export type ClientsReport = {
  readonly revision: number;
  /** When each one had applied it, which is just before its acknowledgement. */
  readonly atMs: readonly number[];
  /** Bytes of the messages that brought it. */
  readonly bytes: number;
  /** How many of those messages were deltas. */
  readonly deltas: number;
  /** Links that ended since the start, and were made anew. */
  readonly lostLinks: number;
};

type Applied = { readonly atMs: number[]; bytes: number; deltas: number };

export class Clients {
  readonly #job: ClientsJob;
  readonly #end: RouterEnd;
  readonly #report: (report: ClientsReport) => void;
  readonly #applied = new Map<number, Applied>();
  readonly #logger: pino.Logger;
  #lostLinks = 0;
  /** The message that came last, to whichever client. */
  #shared: Uint8Array = Buffer.alloc(0);
  #validated: { readonly bytes: Uint8Array; readonly result: Promise<Decoded> } | undefined;
  /** Clients go on one after the other. */
  #turn: Promise<void> = Promise.resolve();
  #patched:
    | { readonly from: Uint8Array; readonly by: Uint8Array; readonly result: Promise<Uint8Array> }
    | undefined;

  static async load(job: ClientsJob, report: (report: ClientsReport) => void): Promise<Clients> {
    return new Clients(job, await loadRouterEnd(job.stage), report);
  }

  private constructor(job: ClientsJob, end: RouterEnd, report: (report: ClientsReport) => void) {
    this.#job = job;
    this.#end = end;
    this.#report = report;
    this.#logger = pino({ level: "warn" }, { write: (line: string) => this.#onWarning(line) });
  }

  /** Resolves when the client runs the snapshot that is current. */
  connect(id: number): Promise<void> {
    const { url, token, maxMessageBytes, acceptsDeltas } = this.#job;
    const upToDate = Promise.withResolvers<void>();
    let message: Uint8Array = this.#shared;
    this.#end.start({
      url,
      token,
      routerId: `bench-${id}`,
      maxMessageBytes,
      logger: this.#logger,
      incoming: (bytes) => {
        message = this.#share(bytes);
        return message;
      },
      validate: (tableJson) => this.#inTurn(this.#validate(tableJson)),
      patch: acceptsDeltas ? (documentJson, patchJson) => this.#patch(documentJson, patchJson) : undefined,
      onApplied: (revision) => {
        this.#onApplied(revision, message);
        upToDate.resolve();
      },
    });
    return upToDate.promise;
  }

  #onApplied(revision: number, message: Uint8Array): void {
    const applied = this.#applied.get(revision) ?? { atMs: [], bytes: 0, deltas: 0 };
    this.#applied.set(revision, applied);
    applied.atMs.push(machineNowMs());
    applied.bytes += message.length;
    if (isDelta(message)) applied.deltas += 1;
    if (applied.atMs.length < this.#job.count) return;
    this.#report({ revision, ...applied, lostLinks: this.#lostLinks });
    this.#applied.delete(revision);
  }

  #onWarning(line: string): void {
    if (line.includes("control-plane-lost")) this.#lostLinks += 1;
    else process.stderr.write(line);
  }

  /** The same bytes in the buffer that came first, compared byte by byte. */
  #share(message: Uint8Array): Uint8Array {
    if (Buffer.compare(this.#shared, message) !== 0) this.#shared = message;
    return this.#shared;
  }

  /**
   * `shared`, but not for all at once: what each client makes of it would hold up the pings of the others, and links that
   * are well would be taken for dead.
   */
  async #inTurn<T>(shared: Promise<T>): Promise<T> {
    const result = await shared;
    const turn = this.#turn.then(() => setImmediate());
    this.#turn = turn;
    await turn;
    return result;
  }

  #validate(tableJson: Uint8Array): Promise<Decoded> {
    if (this.#validated === undefined || !isSameMemory(this.#validated.bytes, tableJson))
      this.#validated = { bytes: tableJson, result: this.#end.validate(tableJson) };
    return this.#validated.result;
  }

  #patch(from: Uint8Array, by: Uint8Array): Promise<Uint8Array> {
    const last = this.#patched;
    if (last !== undefined && isSameMemory(last.from, from) && isSameMemory(last.by, by)) return last.result;
    const { patch } = this.#end;
    if (patch === undefined) throw new Error(`${this.#job.stage} knows no deltas`);
    const result = patch(from, by);
    this.#patched = { from, by, result };
    return result;
  }
}

function isDelta(message: Uint8Array): boolean {
  const start = '{"type":"delta"';
  return Buffer.from(message.subarray(0, start.length)).toString("latin1") === start;
}

function isSameMemory(a: Uint8Array, b: Uint8Array): boolean {
  return a.buffer === b.buffer && a.byteOffset === b.byteOffset && a.length === b.length;
}
