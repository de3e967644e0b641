// The open loop's pacer. Every millisecond it sends the requests that have become due; a request that finds every
// connection busy waits in a queue, and its wait counts: latency runs from the tick at which it was due until its response
// is complete, so a stalled proxy cannot hide by being asked less often (coordinated omission). How late the ticks
// themselves ran is the pacer's own fault and is reported apart. Prints one LoadResult as JSON.
import { connect, type Socket } from "node:net";
import { createHistogram } from "node:perf_hooks";
import type { LoadResult } from "./load-result.ts";

type Job = {
  readonly url: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly rate: number;
  readonly seconds: number;
};

const job = JSON.parse(process.argv[2] ?? "{}") as Job;
const { host, hostname, port } = new URL(job.url);
const fields = Object.entries({ Host: host, ...job.headers }).map(([name, value]) => `${name}: ${value}\r\n`);
const request = Buffer.from(`GET ${job.path} HTTP/1.1\r\n${fields.join("")}\r\n`, "latin1");
const headEnd = Buffer.from("\r\n\r\n");

const latencies = createHistogram({ lowest: 1, highest: 60_000_000, figures: 3 });
const lags = createHistogram({ lowest: 1, highest: 60_000_000, figures: 3 });
let [answered, errors, lost] = [0, 0, 0];

/** One keep-alive connection with at most one request on its way. */
class Connection {
  readonly #socket: Socket;
  #dueMs = 0;
  #received: Buffer = Buffer.alloc(0);
  #missingBytes = -1;
  #ok = false;

  constructor(onIdle: (connection: Connection) => void) {
    this.#socket = connect({ host: hostname, port: Number(port), noDelay: true });
    this.#socket.once("connect", () => onIdle(this));
    this.#socket.on("data", (chunk: Buffer) => {
      if (this.#take(chunk)) onIdle(this);
    });
    this.#socket.once("error", () => {});
    this.#socket.once("close", () => {
      if (!finished) lost += 1;
    });
  }

  send(dueMs: number): void {
    this.#dueMs = dueMs;
    this.#socket.write(request);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Takes bytes of the response; true when it is complete. */
  #take(chunk: Buffer): boolean {
    if (this.#missingBytes < 0) {
      this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
      const end = this.#received.indexOf(headEnd);
      if (end < 0) return false;
      const head = this.#received.toString("latin1", 0, end);
      const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
      if (length === undefined) throw new Error("The response has no Content-Length");
      this.#ok = head.startsWith("HTTP/1.1 200 ");
      this.#missingBytes = Number(length) - (this.#received.length - end - headEnd.length);
    } else {
      this.#missingBytes -= chunk.length;
    }
    if (this.#missingBytes > 0) return false;
    if (this.#missingBytes < 0) throw new Error("The response is longer than its Content-Length");
    this.#received = Buffer.alloc(0);
    this.#missingBytes = -1;
    if (this.#ok) answered += 1;
    else errors += 1;
    latencies.record(Math.max(1, Math.round((performance.now() - this.#dueMs) * 1000)));
    return true;
  }
}

const idle: Connection[] = [];
const queue: number[] = [];
let finished = false;

function onIdle(connection: Connection): void {
  const dueMs = queue.shift();
  if (dueMs === undefined) idle.push(connection);
  else connection.send(dueMs);
}

const connections = Array.from({ length: job.connections }, () => new Connection(onIdle));
const readyByMs = performance.now() + 5_000;
while (idle.length < job.connections && performance.now() < readyByMs) {
  await new Promise((resolve) => setTimeout(resolve, 5));
}

const startMs = performance.now();
let sent = 0;
await new Promise<void>((resolve) => {
  const tick = () => {
    const nowMs = performance.now();
    const due = Math.floor(Math.min(nowMs - startMs, job.seconds * 1000) * (job.rate / 1000));
    if (due > sent)
      lags.record(Math.max(1, Math.round((nowMs - startMs - ((sent + 1) * 1000) / job.rate) * 1000)));
    for (; sent < due; sent += 1) {
      const connection = idle.pop();
      if (connection === undefined) queue.push(nowMs);
      else connection.send(nowMs);
    }
    if (nowMs - startMs < job.seconds * 1000) setTimeout(tick, 1);
    else resolve();
  };
  tick();
});
// What is still on its way gets 5 s; what does not come back is an error.
const drainByMs = performance.now() + 5_000;
while (answered + errors < sent && performance.now() < drainByMs) {
  await new Promise((resolve) => setTimeout(resolve, 5));
}
finished = true;
for (const connection of connections) connection.destroy();

const result: LoadResult = {
  requests: answered,
  seconds: job.seconds,
  errors: errors + lost + (sent - answered - errors),
  p50Ms: latencies.percentile(50) / 1000,
  p99Ms: latencies.percentile(99) / 1000,
  maxMs: latencies.max / 1000,
  pacerLagP99Ms: lags.percentile(99) / 1000,
};
console.log(JSON.stringify(result));
