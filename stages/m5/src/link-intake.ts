// Takes what comes over a link, one message after the other, within a budget of time. What comes faster than that is
// overtaken by what follows, or waits at the other end of the line.

import type { Socket } from "node:net";
import type WebSocket from "ws";
import type { Clock } from "./clock.ts";
import type { IntakeBudget, TimeBudget } from "./intake-budget.ts";
import { decodeFromControlPlane } from "./protocol.ts";

/**
 * What the system and the garbage collector do for each byte before and after this process sees it, in milliseconds: no
 * clock in here shows it.
 */
const msPerByte = 4 / (1024 * 1024);

export interface Incoming {
  readonly data: Buffer;
  readonly isBinary: boolean;
}

export interface LinkIntakeDependencies {
  readonly clock: Clock;
  readonly budget: IntakeBudget;
  /** Sees to one message. The next one waits until it has resolved. Must not reject. */
  readonly take: (message: Incoming) => Promise<void>;
  /** Aborts when the link has ended. */
  readonly ended: AbortSignal;
}

export class LinkIntake {
  readonly #socket: WebSocket;
  readonly #deps: LinkIntakeDependencies;
  /** At most two: a control plane that keeps to the protocol never sends more before it has been answered. */
  readonly #inbox: Incoming[] = [];
  #working: Promise<void> | undefined;
  #isResting = false;

  constructor(socket: WebSocket, dependencies: LinkIntakeDependencies) {
    this.#socket = socket;
    this.#deps = dependencies;
    socket.on("message", (data: Buffer, isBinary) => this.#onMessage({ data, isBinary }));
  }

  /** Counts the time that reading takes: pings and pieces of messages cost some, too. Call it when the link is open. */
  measure(wire: Socket): void {
    const { clock, budget } = this.#deps;
    let startedAtMs = 0;
    // These two listeners are called first and last: in between, the piece is read and its messages are handed on.
    wire.prependListener("data", () => {
      startedAtMs = clock.now();
    });
    wire.on("data", (bytes: Buffer) => {
      const nowMs = clock.now();
      budget.reading.spend(nowMs - startedAtMs + bytes.length * msPerByte, nowMs);
      if (!this.#isResting && budget.reading.waitMs(nowMs) > 0) void this.#rest();
    });
  }

  /** Nothing is read now. */
  get isPaused(): boolean {
    return this.#isResting || this.#isFull();
  }

  /** Resolves when the last message has been seen to. */
  async finished(): Promise<void> {
    await this.#working;
  }

  // #region intake
  #onMessage(message: Incoming): void {
    const last = this.#inbox.at(-1);
    // Of several snapshots of an epoch only the newest is looked into. Its answer is the answer to all of them.
    if (last !== undefined && isOvertaken(last, message)) this.#inbox.pop();
    this.#inbox.push(message);
    if (this.#isFull()) this.#socket.pause();
    this.#working ??= this.#work();
  }

  async #work(): Promise<void> {
    const { budget, take, ended } = this.#deps;
    while (this.#inbox.length > 0 && !ended.aborted) {
      await this.#untilAllowed(budget.work);
      const message = this.#inbox.shift();
      this.#resume();
      if (message !== undefined) await take(message);
    }
    this.#working = undefined;
  }
  // #endregion intake

  /** Reads nothing until the budget allows it. */
  async #rest(): Promise<void> {
    this.#isResting = true;
    this.#socket.pause();
    await this.#untilAllowed(this.#deps.budget.reading);
    this.#isResting = false;
    this.#resume();
  }

  async #untilAllowed(budget: TimeBudget): Promise<void> {
    const { clock, ended } = this.#deps;
    for (let ms = budget.waitMs(clock.now()); ms > 0 && !ended.aborted; ms = budget.waitMs(clock.now()))
      await clock.sleep(Math.ceil(ms), ended).catch(() => {});
  }

  #isFull(): boolean {
    return this.#inbox.length > 1;
  }

  #resume(): void {
    if (!this.#isResting && !this.#isFull()) this.#socket.resume();
  }
}

function isOvertaken(earlier: Incoming, later: Incoming): boolean {
  if (earlier.isBinary || later.isBinary) return false;
  const [a, b] = [decodeFromControlPlane(earlier.data), decodeFromControlPlane(later.data)];
  if (!a.ok || !b.ok || a.message.type !== "snapshot" || b.message.type !== "snapshot") return false;
  return a.message.epoch === b.message.epoch && a.message.revision <= b.message.revision;
}
