// Runs the hostile connections of a plan: a number of lanes, each with one connection at a time, or a recorded sequence at
// its recorded times.

import { setTimeout as delay } from "node:timers/promises";
import type { ChaosCell } from "./cells.ts";
import type { Fault } from "./faults.ts";
import { HostileClient, type Transcript } from "./hostile-client.ts";
import { type ClientKind, type ConnectionPlan, cellMode, type Plans } from "./plan.ts";
import type { Witness } from "./witness.ts";

export interface Port {
  readonly host: string;
  readonly port: number;
}

/** A connection to make again, and when. */
export interface Recorded {
  readonly number: number;
  readonly atMs: number;
}

export interface LanesOptions {
  readonly seed: number;
  readonly plans: Plans;
  readonly cells: readonly ChaosCell[];
  readonly witness: Witness;
  readonly data: Port;
  /** Absent where the router has none: clients of it are left out. */
  readonly admin: Port | undefined;
  readonly kinds: ReadonlySet<ClientKind>;
  readonly now: () => number;
  /** Whether a fault names the connection: then its transcript is kept. */
  readonly isNamed: (number: number) => boolean;
  readonly violated: (fault: Fault) => void;
  /** Ends every connection at once. */
  readonly signal: AbortSignal;
}

const keptTranscripts = 1_000;

export class Lanes {
  readonly #options: LanesOptions;
  /** The connections that are over, the latest last. */
  readonly #over: Transcript[] = [];
  /** Older ones that faults name. */
  readonly #named: Transcript[] = [];
  readonly #open = new Map<number, Transcript>();
  /** How many there were of each kind. */
  readonly byKind = new Map<string, number>();
  connections = 0;
  #next = 0;
  #isFinishing = false;

  constructor(options: LanesOptions) {
    this.#options = options;
  }

  /** Goes through the plan, from its first connection, until `signal` aborts or `most` connections have been made. */
  async run(lanes: number, most: number): Promise<void> {
    const lane = async () => {
      while (!this.#isFinishing && this.connections < most) await this.#connect(this.#next++);
    };
    await Promise.all(Array.from({ length: lanes }, lane));
  }

  /** Begins no more connections. */
  finish(): void {
    this.#isFinishing = true;
  }

  /** Makes the recorded connections again, each as long after the start as it was. */
  async replay(sequence: readonly Recorded[]): Promise<void> {
    const startedAtMs = this.#options.now();
    const { signal, now } = this.#options;
    await Promise.all(
      sequence.map(async ({ number, atMs }) => {
        await delay(Math.max(0, startedAtMs + atMs - now()), undefined, { signal }).catch(() => {});
        if (!signal.aborted) await this.#connect(number);
      }),
    );
  }

  /** Every connection that is remembered, the one that acted last first. */
  latest(): Transcript[] {
    const all = [...this.#over, ...this.#open.values()];
    return all.sort((a, b) => b.lastActAtMs - a.lastActAtMs);
  }

  transcriptOf(number: number): Transcript | undefined {
    const isIt = (each: Transcript) => each.number === number;
    return this.#open.get(number) ?? this.#over.findLast(isIt) ?? this.#named.find(isIt);
  }

  async #connect(number: number): Promise<void> {
    const { seed, plans, cells, witness, data, admin, kinds, now, violated, signal } = this.#options;
    const plan: ConnectionPlan = plans.at(number);
    const port = plan.kind === "admin" ? admin : data;
    if (port === undefined || !kinds.has(plan.kind)) return;
    // Before anything is waited for: lanes that begin at once must not make more than `most`.
    this.connections += 1;
    this.byKind.set(plan.kind, (this.byKind.get(plan.kind) ?? 0) + 1);
    for (const cell of cells) if (cell.isHostile) await cell.setMode(cellMode(seed, cell.index, number));
    if (signal.aborted) return;
    const onTag = (tag: string, earlier: ReadonlySet<string>) => witness.clientGot(number, tag, earlier);
    const client = new HostileClient({ plan, ...port, now, onTag, signal });
    const { transcript } = client;
    this.#open.set(number, transcript);
    await client.run();
    witness.clientLeft(number, transcript.tags);
    this.#open.delete(number);
    if (/^HTTP\/1\.1 500 /m.test(transcript.received)) {
      const rule = "8 survival: the router responds 500: an exception of its own";
      violated({ rule, detail: plan.kind, connection: number });
    }
    this.#keep(transcript);
  }

  #keep(transcript: Transcript): void {
    this.#over.push(transcript);
    const oldest = this.#over.length > keptTranscripts ? this.#over.shift() : undefined;
    if (oldest === undefined) return;
    if (this.#options.isNamed(oldest.number)) this.#named.push(oldest);
    else this.#options.witness.forget(oldest.number);
  }
}
