// What happens on each connection of a run: a pure function of the seed and the connection's number, so that one
// connection, or a sequence of them, can be made again.

import { Random } from "../../shared/fuzz/random.ts";
import { type ClientKind, clientKinds, pickKind, writeKind } from "./client-kinds.ts";
import { cut, cutPoint, type Delivery, ending, type Piece, pause, steps } from "./delivery.ts";
import { type PlannedRequest, RequestWriter } from "./requests.ts";

/** `eager`: everything at once. `slow`: a little at a time. `never`: the router's bytes stay in the socket. */
export type Reading = "eager" | "slow" | "never";

export interface ConnectionPlan {
  readonly number: number;
  readonly kind: ClientKind;
  readonly requests: readonly PlannedRequest[];
  /** The whole stream; `delivery` may send less of it. */
  readonly stream: readonly Piece[];
  readonly delivery: Delivery;
  readonly reading: Reading;
}

/** Longer than the time limit of a response's head: then the router has to end the exchange. */
const longPatienceMs = 12_000;

export function planConnection(seed: number, number: number): ConnectionPlan {
  const random = new Random(seed, number);
  const kind = pickKind(random);
  const writer = new RequestWriter(random, seed, number);
  writeKind(kind, writer);
  const stream = writer.pieces;
  const cutAt = random.chance(45) ? cutPoint(random, stream) : undefined;
  const sent = cutAt === undefined ? stream : cut(stream, cutAt);
  const reading = random.pick(["eager", "eager", "eager", "eager", "eager", "slow", "never"] as const);
  const delivery: Delivery = {
    steps: [...steps(random, sent), ...pause(random)],
    ending: ending(random, longPatienceMs),
    cutAt,
  };
  return { number, kind, requests: writer.requests, stream, delivery, reading };
}

/** The plans that were asked for last: a request arrives at a cell while its connection is still fresh. */
export class Plans {
  readonly #seed: number;
  readonly #kept = new Map<number, ConnectionPlan>();

  constructor(seed: number) {
    this.#seed = seed;
  }

  at(number: number): ConnectionPlan {
    const plan = this.#kept.get(number) ?? planConnection(this.#seed, number);
    this.#kept.delete(number);
    this.#kept.set(number, plan);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > 500 && oldest !== undefined) this.#kept.delete(oldest);
    return plan;
  }
}

export type CellMode = "up" | "down" | "resetting" | "deaf" | "babbling";

/** Connections in a row during which a hostile cell keeps its mode. */
const connectionsPerMode = 24;

/**
 * How a hostile cell treats connections while connection `number` of the run begins. `down`: it refuses them. `resetting`:
 * it resets each at once. `deaf`: it accepts and reads nothing. `babbling`: it sends bytes before it is asked.
 */
export function cellMode(seed: number, cell: number, number: number): CellMode {
  const random = new Random(seed ^ 0x5ca1ab1e, Math.floor(number / connectionsPerMode) * 8 + cell);
  if (random.chance(60)) return "up";
  return random.pick(["down", "down", "resetting", "deaf", "babbling"] as const);
}

export { type ClientKind, clientKinds };
