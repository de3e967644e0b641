// Sees both sides of a run and holds them to its promises: what reaches a cell is a request that a client sent as one, whole
// or visibly cut, once, at its own placement; what reaches a client is the response to its own request, in order.

import type { RawRequest, RequestHead } from "../../shared/testkit/http-message.ts";
import type { CellPlan } from "./cell-behaviours.ts";
import type { Fault } from "./faults.ts";
import type { Plans } from "./plan.ts";
import { bodyFaults, headFaults, lineOf, type RequestFault } from "./request-faults.ts";
import type { PlannedRequest } from "./requests.ts";
import { isCleanId, readTag, type Tag, tagOf, tagsIn } from "./tags.ts";

/** A request that has reached a cell. */
export interface Arrival {
  /** Its tag, or the id of a clean client's request. */
  readonly id: string;
  readonly isClean: boolean;
  readonly connection: number;
  readonly request: number;
  /** 0 for the first time that it arrives. */
  readonly attempt: number;
  readonly planned: PlannedRequest | undefined;
  readonly arrivedAtMs: number;
}

interface Exchange {
  readonly request: number;
  readonly arrivedAtMs: number;
  respondedAtMs: number;
}

/** Which cells may serve a routing key: the placement's own, and its fallbacks. */
export type CellsOf = (key: string) => readonly string[];

export interface WitnessOptions {
  readonly seed: number;
  readonly plans: Plans;
  readonly cellsOf: CellsOf;
  readonly now: () => number;
  readonly violated: (fault: Fault) => void;
}

export class Witness {
  readonly #options: WitnessOptions;
  readonly #arrivals = new Map<string, number>();
  /** By connection, what its requests met at cells; dropped when the connection is over. */
  readonly #exchanges = new Map<number, Exchange[]>();
  /** What cells did for a connection's requests, for its transcript. */
  readonly #deeds = new Map<number, string[]>();
  /** The same for a clean client's request, by its id, until it has ended. */
  readonly #cleanDeeds = new Map<string, string>();
  arrivals = 0;

  constructor(options: WitnessOptions) {
    this.#options = options;
  }

  /** Undefined for a request that no client sent; it has then been told. */
  cellGotHead(cell: string, head: RequestHead): Arrival | undefined {
    this.arrivals += 1;
    const id = head.headers.all("x-request-id")[0] ?? "";
    const { seed, now } = this.#options;
    if (isCleanId(seed, id)) {
      const attempt = this.#count(id);
      return {
        id,
        isClean: true,
        connection: -1,
        request: 0,
        attempt,
        planned: undefined,
        arrivedAtMs: now(),
      };
    }
    const text = `${head.target} ${head.headers.all("x-chaos").join(" ")}`;
    const tag = tagsIn(text)[0];
    const facts = tag === undefined ? undefined : readTag(seed, tag);
    if (tag === undefined || facts === undefined || facts.kind !== "request") {
      const rule =
        facts?.kind === "decoy"
          ? "a cell got a smuggled request: one from the body of another, or from behind one that ends the connection"
          : "a cell got a request that nobody sent";
      this.#violated(rule, `${cell} got ${lineOf(head)}`, facts?.connection);
      return undefined;
    }
    const planned = this.#planned(facts, tag);
    const arrival = {
      id: tag,
      isClean: false,
      ...facts,
      attempt: this.#count(tag),
      planned,
      arrivedAtMs: now(),
    };
    if (planned !== undefined) {
      const cells = planned.key === undefined ? [] : this.#options.cellsOf(planned.key);
      this.#tell(headFaults(planned, head, { cell, times: arrival.attempt + 1, cells }), facts.connection);
    }
    const { connection, request } = facts;
    const exchanges = this.#exchanges.get(connection) ?? [];
    this.#exchanges.set(connection, exchanges);
    exchanges.push({ request, arrivedAtMs: now(), respondedAtMs: Number.POSITIVE_INFINITY });
    return arrival;
  }

  cellGotBody(cell: string, { planned, connection }: Arrival, received: RawRequest): void {
    if (planned !== undefined) this.#tell(bodyFaults(planned, cell, received), connection);
  }

  cellDoes({ id, connection, request, attempt, isClean }: Arrival, plan: CellPlan): void {
    if (isClean) return void this.#cleanDeeds.set(id, `${plan.kind}, then ${plan.ending}`);
    const deeds = this.#deeds.get(connection) ?? [];
    this.#deeds.set(connection, deeds);
    deeds.push(
      `request ${request}${attempt === 0 ? "" : `, attempt ${attempt + 1}`}: ${plan.kind}, then ${plan.ending}`,
    );
  }

  cellResponded({ connection, request, isClean }: Arrival): void {
    if (isClean) return;
    const exchange = this.#exchanges.get(connection)?.findLast((each) => each.request === request);
    if (exchange !== undefined) exchange.respondedAtMs = this.#options.now();
  }

  cellGotRubbish(cell: string, what: string): void {
    this.#violated("a cell got bytes that are not one clear request", `${cell}: ${what}`, undefined);
  }

  cellBroke(cell: string, error: unknown): void {
    this.#violated("a cell could not read what came", `${cell}: ${error}`, undefined);
  }

  forgedTag({ isClean, connection, request }: Arrival): string {
    return tagOf(
      this.#options.seed,
      isClean ? { connection: 0, request: 0 } : { connection, request },
      "forged",
    );
  }

  /** A tag that a client has not received before. @param earlier Those that it has, in order */
  clientGot(connection: number, tag: string, earlier: ReadonlySet<string>): void {
    const facts = readTag(this.#options.seed, tag);
    if (facts?.kind !== "request" || facts.connection !== connection)
      return this.#violated(`a client got ${this.#foreign(tag)}`, tag, connection);
    const later = [...earlier].find((each) => requestOf(each) > facts.request);
    if (later !== undefined)
      this.#violated(
        "responses come out of order",
        `request ${facts.request} after ${requestOf(later)}`,
        connection,
      );
  }

  #foreign(tag: string): string {
    const facts = readTag(this.#options.seed, tag);
    if (facts?.kind === "request") return "the response to another connection's request";
    if (facts?.kind === "forged") return "a response that a cell sent unasked";
    if (isCleanId(this.#options.seed, tag)) return "the response to a clean client's request";
    return "a response to a request that nobody sent";
  }

  /** The connection is over. @param tags Those of the responses that it got. */
  clientLeft(connection: number, tags: ReadonlySet<string>): void {
    const received = new Set([...tags].map(requestOf));
    const exchanges = this.#exchanges.get(connection) ?? [];
    this.#exchanges.delete(connection);
    for (const earlier of exchanges) {
      // A response that nobody got may have been given up before the next request went out.
      if (!received.has(earlier.request)) continue;
      const overtaking = exchanges.find(
        ({ request, arrivedAtMs }) => request > earlier.request && arrivedAtMs < earlier.respondedAtMs,
      );
      if (overtaking === undefined || earlier.respondedAtMs === Number.POSITIVE_INFINITY) continue;
      this.#violated(
        "a pipelined request reaches a cell before the one in front of it has its response",
        `request ${overtaking.request} before the response to ${earlier.request}`,
        connection,
      );
    }
  }

  hasArrived(id: string): boolean {
    return this.#arrivals.has(id);
  }

  /** What cells did for a connection's requests so far. */
  deedsFor(connection: number): readonly string[] {
    return this.#deeds.get(connection) ?? [];
  }

  /** A clean client's request has ended. Returns what the last cell did with it. */
  cleanEnded(id: string): string {
    const deed = this.#cleanDeeds.get(id) ?? "it reached no cell";
    this.#cleanDeeds.delete(id);
    return deed;
  }

  forget(connection: number): void {
    this.#deeds.delete(connection);
  }

  #planned({ connection }: Tag, tag: string): PlannedRequest | undefined {
    return this.#options.plans.at(connection).requests.find((each) => each.tag === tag);
  }

  #count(id: string): number {
    const before = this.#arrivals.get(id) ?? 0;
    this.#arrivals.set(id, before + 1);
    return before;
  }

  #tell(faults: readonly RequestFault[], connection: number): void {
    for (const fault of faults) this.#options.violated({ ...fault, connection });
  }

  #violated(rule: string, detail: string, connection: number | undefined): void {
    this.#options.violated({ rule, detail, connection });
  }
}

function requestOf(tag: string): number {
  return Number(/r(\d+)-/.exec(tag)?.[1] ?? -1);
}
