// The cells of a run: raw servers that frame strictly what comes, tell the witness, and do what the plan says. A clean cell
// always serves well; a hostile one spoils responses, and goes down and comes back.

import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { Random } from "../../shared/fuzz/random.ts";
import { EndOfBytes } from "../../shared/testkit/byte-reader.ts";
import { NotHttp } from "../../shared/testkit/header-fields.ts";
import { UpstreamConnection } from "../../shared/testkit/hostile-upstream.ts";
import type { RawRequest, RequestHead } from "../../shared/testkit/http-message.ts";
import type { CellName } from "../load/tables.ts";
import { babble, type CellPlan, goodPlan, hostilePlan } from "./cell-behaviours.ts";
import type { Step } from "./delivery.ts";
import { demoResponse, taggedResponse } from "./good-response.ts";
import type { CellMode } from "./plan.ts";
import { numberOf } from "./tags.ts";
import type { Arrival, Witness } from "./witness.ts";

/** How long a cell that reads nothing keeps its connection. */
const deafMs = 3_000;

export interface ChaosCellOptions {
  readonly name: CellName;
  /** Number among the cells, for what the seed decides. */
  readonly index: number;
  readonly seed: number;
  readonly isHostile: boolean;
  readonly witness: Witness;
  readonly healthPath: string;
}

export class ChaosCell {
  readonly name: CellName;
  readonly index: number;
  /** How often each behaviour was shown. */
  readonly shown = new Map<string, number>();
  isHostile: boolean;
  readonly #options: ChaosCellOptions;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;
  #mode: CellMode = "up";
  #changing: Promise<void> = Promise.resolve();

  constructor(options: ChaosCellOptions) {
    this.#options = options;
    this.name = options.name;
    this.index = options.index;
    this.isHostile = options.isHostile;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** @param port 0 for any free one */
  async open(port: number): Promise<void> {
    this.#port = port;
    if (port !== 0) return await this.#listen();
    // Below the ports that a system gives to outgoing connections: one of them could take it while the cell is down.
    for (let left = 50; this.#server === undefined && left > 0; left--) {
      this.#port = 12_000 + Math.floor(Math.random() * 20_000);
      await this.#listen().catch(() => {});
    }
    if (this.#server === undefined) throw new Error(`No free port for the cell ${this.name}`);
  }

  /** Goes down or comes back; one change after the other. */
  setMode(mode: CellMode): Promise<void> {
    this.#changing = this.#changing.then(async () => {
      if (mode === this.#mode) return;
      this.#mode = mode;
      if (mode === "down") await this.#stopListening();
      else if (this.#server === undefined) await this.#listen();
    });
    return this.#changing;
  }

  /** Ends every connection, as a cell does with those that have been idle for too long. */
  closeConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    await this.#changing;
    await this.#stopListening();
  }

  async #listen(): Promise<void> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
    server.listen(this.#port, "127.0.0.1");
    await once(server, "listening");
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
  }

  async #stopListening(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    // Not an orderly end: it would make a body that ends with its connection look whole.
    for (const socket of this.#sockets) socket.resetAndDestroy();
    if (server === undefined) return;
    const closed = once(server, "close");
    server.close();
    await closed;
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    // Before the first read: a reset may come at any moment.
    socket.on("error", () => {});
    if (this.#mode === "resetting") return void socket.resetAndDestroy();
    if (this.#mode === "deaf") return;
    if (this.#mode === "babbling") socket.write(babble(new Random(this.#options.seed, this.index)), "latin1");
    void this.#serve(new UpstreamConnection(socket, 0, 0), socket);
  }

  async #serve(connection: UpstreamConnection, socket: Socket): Promise<void> {
    try {
      for (;;) {
        const head = await connection.readHead();
        if (!(await this.#respond(connection, head))) break;
      }
    } catch (error) {
      if (error instanceof NotHttp) this.#options.witness.cellGotRubbish(this.name, error.message);
      // A connection that a router keeps and does not use is its own affair.
      else if (
        !(error instanceof EndOfBytes) &&
        !/^Nothing more arrived/.test(String((error as Error).message))
      )
        this.#options.witness.cellBroke(this.name, error);
    }
    socket.destroy();
  }

  /** Whether the connection serves another request afterwards. */
  async #respond(connection: UpstreamConnection, head: RequestHead): Promise<boolean> {
    const { witness, healthPath } = this.#options;
    if (head.target === healthPath && !head.headers.has("x-routing-key")) {
      return connection.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
    const arrival = witness.cellGotHead(this.name, head);
    if (arrival === undefined) return false;
    let body: RawRequest | undefined;
    const read = async () => {
      body ??= await connection.readBody(head);
      witness.cellGotBody(this.name, arrival, body);
      return body;
    };
    const plan = await this.#plan(arrival, head, read);
    this.shown.set(plan.kind, (this.shown.get(plan.kind) ?? 0) + 1);
    witness.cellDoes(arrival, plan);
    if (plan.reads === "before" && (await read()).ending === "truncated") return false;
    // Told with the last byte: pauses may follow it.
    const isLast = plan.ending === "keep";
    if (!(await deliver(connection, plan.steps, () => isLast && witness.cellResponded(arrival))))
      return false;
    switch (plan.ending) {
      case "reset":
        connection.reset();
        return false;
      case "close":
        await connection.close();
        return false;
      case "half-close":
        connection.halfClose();
        await connection.untilClosed();
        return false;
      case "hang":
        // One that does not read does not notice that its peer has gone.
        await (plan.reads === "never" ? delay(deafMs) : connection.untilClosed());
        return false;
      default:
        return (await read()).ending === "complete";
    }
  }

  async #plan(arrival: Arrival, head: RequestHead, read: () => Promise<RawRequest>): Promise<CellPlan> {
    const { seed } = this.#options;
    const { id, attempt, isClean } = arrival;
    const response = isClean ? demoResponse(this.name, id, await read()) : taggedResponse(id, head);
    if (!this.isHostile) return goodPlan(response);
    const forged = this.#options.witness.forgedTag(arrival);
    return hostilePlan(response, { seed, request: numberOf(id), attempt, isPatient: isClean, forged });
  }
}

/** False when the peer has gone. @param onSent Called after every piece. */
async function deliver(
  connection: UpstreamConnection,
  steps: readonly Step[],
  onSent: () => void,
): Promise<boolean> {
  for (const step of steps) {
    if (step.kind === "wait") await delay(step.ms);
    if (step.kind !== "send") continue;
    const { text, times } = step.piece;
    // Small pieces that are sent often go out in larger ones: it is their number that the router has to bear.
    const perWrite = Math.max(1, Math.floor(65_536 / Math.max(1, text.length)));
    const block = Buffer.from(text.repeat(Math.min(perWrite, times)), "latin1");
    for (let left = times; left > 0; left -= perWrite) {
      const bytes = left < perWrite ? block.subarray(0, left * text.length) : block;
      if (!(await connection.write(bytes))) return false;
    }
    onSent();
  }
  return true;
}

/** How often each behaviour was shown by all of them. */
export function shownBy(cells: readonly ChaosCell[]): Map<string, number> {
  const sum = new Map<string, number>();
  for (const { shown } of cells)
    for (const [kind, times] of shown) sum.set(kind, (sum.get(kind) ?? 0) + times);
  return sum;
}
