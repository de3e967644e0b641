// Some hundred routers' ends of links in one process of the fleet bench: each is the stage's own client and receiver, with
// its WebSocket, pings, liveness and reconnects. Only the table itself is read once for all of them: the stage's decoder
// checks and sums it for the first client of this process; every other one compares its own bytes with those, byte for byte. In a fleet each machine would read its own copy, at the same time; on one machine that would measure the parser.
import pino from "pino";
import { systemClock as clock } from "../../stages/m3/src/clock.ts";
import { ControlPlaneClient } from "../../stages/m3/src/control-plane-client.ts";
import { SnapshotReceiver } from "../../stages/m3/src/snapshot-receiver.ts";
import {
  asideFromBytes,
  type Decoded,
  decodeTable,
  decodeTableAside,
} from "../../stages/m3/src/table-decoder.ts";

/** What the parent asks for, as JSON in the first argument. */
export type ClientsJob = {
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
  /** Links that ended since the start, and were made anew. */
  readonly lostLinks: number;
};

/** Milliseconds on the clock that all processes of this machine share. */
export function machineNowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export class Clients {
  readonly #job: ClientsJob;
  readonly #report: (report: ClientsReport) => void;
  readonly #applied = new Map<number, { readonly atMs: number[]; bytes: number }>();
  readonly #logger: pino.Logger;
  #lostLinks = 0;
  #examined: { readonly bytes: Buffer; readonly result: Promise<Decoded> } | undefined;

  constructor(job: ClientsJob, report: (report: ClientsReport) => void) {
    this.#job = job;
    this.#report = report;
    this.#logger = pino({ level: "warn" }, { write: (line: string) => this.#onWarning(line) });
  }

  /** Resolves when the client runs the snapshot that is current. */
  connect(id: number): Promise<void> {
    const { url, token, maxMessageBytes } = this.#job;
    const upToDate = Promise.withResolvers<void>();
    const receiver = new SnapshotReceiver({ examine: (bytes) => this.#examine(bytes), apply: () => {} });
    const client = new ControlPlaneClient({
      url,
      readToken: async () => token,
      routerId: `bench-${id}`,
      receiver,
      onApplied: (message) => {
        this.#onApplied(receiver.held()?.revision ?? 0, message.length);
        upToDate.resolve();
      },
      maxMessageBytes,
      clock,
      random: () => Math.random(),
      today: () => new Date(),
      logger: this.#logger,
    });
    client.start();
    return upToDate.promise;
  }

  #onApplied(revision: number, bytes: number): void {
    const applied = this.#applied.get(revision) ?? { atMs: [], bytes: 0 };
    this.#applied.set(revision, applied);
    applied.atMs.push(machineNowMs());
    applied.bytes += bytes;
    if (applied.atMs.length < this.#job.count) return;
    this.#report({ revision, ...applied, lostLinks: this.#lostLinks });
    this.#applied.delete(revision);
  }

  #onWarning(line: string): void {
    if (line.includes("control-plane-lost")) this.#lostLinks += 1;
    else process.stderr.write(line);
  }

  #examine(tableJson: Uint8Array): Promise<Decoded> {
    const bytes = Buffer.from(tableJson.buffer, tableJson.byteOffset, tableJson.byteLength);
    if (this.#examined?.bytes.equals(bytes)) return this.#examined.result;
    // As the router does: a small table at once, a large one in another thread.
    const result =
      bytes.length < asideFromBytes ? Promise.resolve(decodeTable(bytes)) : decodeTableAside(bytes);
    this.#examined = { bytes, result };
    return result;
  }
}
