// Some hundred routers' ends of links, all real WebSockets, in one process of the fleet bench. Each runs
// the stage's own receiver: it decodes the head, decides, and acknowledges. The table itself is read, checked and
// summed by the stage's decoder once for each new content; every other client of this process then compares its own bytes with
// those, byte for byte. On a fleet of machines each would read its own copy, at the same time; on one machine that would
// measure this process's parser.
import WebSocket from "ws";
import { encode } from "../../stages/m3/src/protocol.ts";
import { SnapshotReceiver } from "../../stages/m3/src/snapshot-receiver.ts";
import { type Decoded, decodeTableAside } from "../../stages/m3/src/table-decoder.ts";

/** What the parent asks for, as JSON in the first argument. */
export type ClientsJob = {
  readonly url: string;
  readonly token: string;
  readonly first: number;
  readonly count: number;
};

export type ClientsReport =
  /** Every client runs this revision. `atMs`: when each one's acknowledgement was handed to its socket. */
  | {
      readonly kind: "acked";
      readonly revision: number;
      readonly atMs: readonly number[];
      readonly bytes: number;
    }
  | { readonly kind: "failed"; readonly why: string };

/** Milliseconds on the clock that all processes of this machine share. */
export function machineNowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export class Clients {
  readonly #report: (report: ClientsReport) => void;
  readonly #count: number;
  readonly #sockets: { bytesRead: number }[] = [];
  readonly #acks = new Map<number, number[]>();
  #examined: { readonly bytes: Buffer; readonly result: Promise<Decoded> } | undefined;

  constructor(count: number, report: (report: ClientsReport) => void) {
    this.#count = count;
    this.#report = report;
  }

  /** Resolves when the client runs the snapshot that is current. */
  connect(job: ClientsJob, id: number): Promise<void> {
    const upToDate = Promise.withResolvers<void>();
    const receiver = new SnapshotReceiver({ examine: (bytes) => this.#examine(bytes), apply: () => {} });
    const link = receiver.openLink();
    const socket = new WebSocket(job.url, {
      headers: { authorization: `Bearer ${job.token}` },
      perMessageDeflate: false,
      maxPayload: 64 * 1024 * 1024,
    });
    socket.once("upgrade", (response) => void this.#sockets.push(response.socket));
    socket.on("error", (error) => this.#report({ kind: "failed", why: error.message }));
    socket.on("close", (code) => this.#report({ kind: "failed", why: `a link closed: ${code}` }));
    socket.on("message", async (data: Buffer) => {
      const received = await receiver.receive(data, link);
      if (received.kind !== "reply" || received.reply.type !== "ack") {
        this.#report({ kind: "failed", why: JSON.stringify(received) });
        return;
      }
      socket.send(encode(received.reply));
      this.#acked(received.reply.revision);
      upToDate.resolve();
    });
    socket.once("open", () => socket.send(encode(receiver.hello(`bench-${id}`))));
    return upToDate.promise;
  }

  #acked(revision: number): void {
    const times = this.#acks.get(revision) ?? [];
    this.#acks.set(revision, times);
    times.push(machineNowMs());
    if (times.length < this.#count) return;
    const bytes = this.#sockets.reduce((sum, socket) => sum + socket.bytesRead, 0);
    this.#report({ kind: "acked", revision, atMs: times, bytes });
    this.#acks.delete(revision);
  }

  #examine(tableJson: Uint8Array): Promise<Decoded> {
    const bytes = Buffer.from(tableJson.buffer, tableJson.byteOffset, tableJson.byteLength);
    if (this.#examined?.bytes.equals(bytes)) return this.#examined.result;
    // In another thread, as in a router: here, five hundred links would wait for it.
    const result = decodeTableAside(bytes);
    this.#examined = { bytes, result };
    return result;
  }
}
