// One hostile connection: sends what its plan says, reads or does not, and ends as planned. It keeps a transcript.

import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Step } from "./delivery.ts";
import type { ConnectionPlan } from "./plan.ts";
import { maxTagLength, tagsIn } from "./tags.ts";

/** What was sent and received, and how it ended. */
export interface Transcript {
  readonly number: number;
  readonly kind: string;
  readonly startedAtMs: number;
  /** When the client last did something: sent, or left. */
  lastActAtMs: number;
  /** When the router was last heard; undefined for never. */
  lastHeardAtMs: number | undefined;
  endedAtMs: number | undefined;
  sentBytes: number;
  receivedBytes: number;
  /** The first bytes in each direction, one character per byte. */
  sent: string;
  received: string;
  /** In words, such as `reset after 57 bytes`. */
  ending: string;
  /** Tags of the responses that came. */
  readonly tags: Set<string>;
}

export interface ClientOptions {
  readonly plan: ConnectionPlan;
  readonly host: string;
  readonly port: number;
  readonly now: () => number;
  /** A tag that came for the first time, and those that came before it. */
  readonly onTag: (tag: string, earlier: ReadonlySet<string>) => void;
  /** Ends the connection at once. */
  readonly signal: AbortSignal;
}

const keptBytes = 4_096;
const slowReadBytes = 2_048;
const slowReadEveryMs = 15;

export class HostileClient {
  readonly transcript: Transcript;
  readonly #options: ClientOptions;
  readonly #socket: Socket;
  #tail = "";
  #isOver = false;
  #wake: () => void = () => {};

  constructor(options: ClientOptions) {
    const { plan, host, port, now } = options;
    this.#options = options;
    this.transcript = {
      number: plan.number,
      kind: plan.kind,
      startedAtMs: now(),
      lastActAtMs: now(),
      lastHeardAtMs: undefined,
      endedAtMs: undefined,
      sentBytes: 0,
      receivedBytes: 0,
      sent: "",
      received: "",
      ending: "under way",
      tags: new Set(),
    };
    this.#socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
    this.#listen();
  }

  /** Resolves when the connection is over. Never rejects. */
  async run(): Promise<void> {
    const { plan, signal } = this.#options;
    const stop = () => this.#over("stopped", () => this.#socket.destroy());
    signal.addEventListener("abort", stop, { once: true });
    for (const step of plan.delivery.steps) {
      if (this.#isOver) break;
      await this.#do(step);
    }
    if (!this.#isOver) await this.#finish();
    signal.removeEventListener("abort", stop);
    this.#socket.destroy();
    this.transcript.endedAtMs ??= this.#options.now();
  }

  async #do(step: Step): Promise<void> {
    switch (step.kind) {
      case "send":
        for (let left = step.piece.times; left > 0 && !this.#isOver; left--)
          await this.#send(step.piece.text);
        return;
      case "wait":
        return this.#until(() => false, step.ms);
      case "hear":
        return this.#hear(this.transcript.receivedBytes + step.bytes, step.ms);
      default:
        step satisfies never;
    }
  }

  #hear(bytes: number, ms: number): Promise<void> {
    return this.#until(() => this.transcript.receivedBytes >= bytes, ms);
  }

  async #send(text: string): Promise<void> {
    const { transcript } = this;
    transcript.sentBytes += text.length;
    if (transcript.sent.length < keptBytes)
      transcript.sent += text.slice(0, keptBytes - transcript.sent.length);
    this.#acted();
    if (this.#socket.write(text, "latin1")) return;
    // A router that holds us back for good must not hold the run up.
    await this.#until(() => this.#socket.writableLength === 0, 1_500);
  }

  async #finish(): Promise<void> {
    const { kind, patienceMs } = this.#options.plan.delivery.ending;
    const after = `after ${this.transcript.sentBytes} bytes`;
    this.#acted();
    if (kind === "reset") return this.#over(`reset ${after}`, () => this.#socket.resetAndDestroy());
    if (kind === "close") return this.#over(`closed ${after}`, () => this.#socket.destroy());
    if (kind === "half-close") this.#socket.end();
    await this.#until(() => false, patienceMs);
    if (!this.#isOver) this.#acted();
    this.#over(`${kind === "stay" ? "left" : "half-closed and left"} ${after}`, () => this.#socket.destroy());
  }

  /** Waits until `condition` holds, the connection is over, or the time has passed. */
  async #until(condition: () => boolean, ms: number): Promise<void> {
    const done = new AbortController();
    const late = delay(ms, undefined, { signal: done.signal }).then(
      () => true,
      () => true,
    );
    while (!this.#isOver && !condition()) {
      const woken = new Promise<boolean>((resolve) => {
        this.#wake = () => resolve(false);
      });
      if (await Promise.race([late, woken])) break;
    }
    done.abort();
  }

  #listen(): void {
    const socket = this.#socket;
    socket.on("error", (error: NodeJS.ErrnoException) => this.#over(`ended by the router: ${error.code}`));
    socket.on("close", () => this.#over("closed by the router"));
    socket.on("end", () => {
      if (this.#options.plan.delivery.ending.kind !== "reset")
        this.#over("closed by the router", () => socket.end());
    });
    socket.on("drain", () => this.#wake());
    const { reading } = this.#options.plan;
    if (reading === "never") return;
    if (reading === "eager") return void socket.on("data", (chunk: Buffer) => this.#take(chunk));
    const readSome = () => {
      const chunk = (socket.read(slowReadBytes) ?? socket.read()) as Buffer | null;
      if (chunk !== null) this.#take(chunk);
      if (!this.#isOver) timer = setTimeout(readSome, slowReadEveryMs);
    };
    let timer = setTimeout(readSome, slowReadEveryMs);
    socket.on("close", () => clearTimeout(timer));
  }

  #take(chunk: Buffer): void {
    const { transcript } = this;
    transcript.receivedBytes += chunk.length;
    transcript.lastHeardAtMs = this.#options.now();
    const text = chunk.toString("latin1");
    if (transcript.received.length < keptBytes)
      transcript.received += text.slice(0, keptBytes - transcript.received.length);
    // A tag may lie across two pieces.
    const seen = this.#tail + text;
    this.#tail = seen.slice(-maxTagLength);
    for (const tag of tagsIn(seen)) {
      if (transcript.tags.has(tag)) continue;
      this.#options.onTag(tag, transcript.tags);
      transcript.tags.add(tag);
    }
    this.#wake();
  }

  #acted(): void {
    this.transcript.lastActAtMs = this.#options.now();
  }

  #over(how: string, act: () => void = () => {}): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.transcript.ending = how;
    this.transcript.endedAtMs = this.#options.now();
    act();
    this.#wake();
  }
}
