// The faults of a demo cell: what can be switched on, with which parameters, and whether a request meets it.
// Owns the vocabulary and the decision; `cell.ts` carries the decision out on the socket.

/** What the cell does to a request while a fault is on. */
export type FaultAction =
  | { readonly kind: "respond" }
  | { readonly kind: "error"; readonly status: number }
  | { readonly kind: "slow"; readonly delayMs: number }
  | { readonly kind: "hang" }
  | { readonly kind: "reset" }
  | { readonly kind: "drop-mid-body"; readonly afterBytes: number };

/** Parameters that every fault has. */
interface Common {
  /** Whether `/health` meets the fault too. */
  readonly healthToo: boolean;
  /** Share of the requests that meet the fault, spread evenly: 0.5 is every second one. */
  readonly ratio: number;
}

export type Fault =
  /** Everything works. */
  | { readonly fault: "none" }
  /** Answers with `status` (503). */
  | ({ readonly fault: "error"; readonly status: number } & Common)
  /** Answers correctly, `delayMs` (1000) later. `/health` stays fast unless `healthToo` is set. */
  | ({ readonly fault: "slow"; readonly delayMs: number } & Common)
  /** Accepts the request and never answers. */
  | ({ readonly fault: "hang" } & Common)
  /** Resets the connection instead of answering. */
  | ({ readonly fault: "reset" } & Common)
  /** Promises a whole body, sends `afterBytes` (16) of it and resets the connection. */
  | ({ readonly fault: "drop-mid-body"; readonly afterBytes: number } & Common)
  /** Works for `upMs` (1000), then answers with `status` (503) for `downMs` (1000), and so on. */
  | ({
      readonly fault: "flap";
      readonly upMs: number;
      readonly downMs: number;
      readonly status: number;
    } & Common);

export type FaultName = Fault["fault"];

const faultNames: readonly FaultName[] = ["none", "error", "slow", "hang", "reset", "drop-mid-body", "flap"];

/** A fault as a caller writes it: the name, and the parameters that differ from the defaults. */
export interface FaultRequest {
  readonly fault: FaultName;
  readonly status?: number;
  readonly delayMs?: number;
  readonly afterBytes?: number;
  readonly upMs?: number;
  readonly downMs?: number;
  readonly healthToo?: boolean;
  readonly ratio?: number;
}

/**
 * Fills in the defaults of a fault.
 *
 * @throws RangeError naming the parameter and the value received.
 */
export function parseFault(input: unknown): Fault {
  if (typeof input !== "object" || input === null) throw new RangeError("A fault is a JSON object");
  const fields = new Map<string, unknown>(Object.entries(input));
  const name = faultNames.find((each) => each === fields.get("fault"));
  if (name === undefined) {
    throw new RangeError(
      `"fault" must be one of ${faultNames.join(", ")}; got ${JSON.stringify(fields.get("fault"))}`,
    );
  }
  const number = (field: string, fallback: number, min: number, max: number): number => {
    const value = fields.get(field) ?? fallback;
    if (typeof value !== "number" || !(value >= min && value <= max)) {
      throw new RangeError(
        `"${field}" must be a number from ${min} to ${max}; got ${JSON.stringify(fields.get(field))}`,
      );
    }
    return value;
  };
  const common = (healthToo: boolean): Common => {
    const given = fields.get("healthToo") ?? healthToo;
    if (typeof given !== "boolean") throw new RangeError(`"healthToo" must be true or false`);
    return { healthToo: given, ratio: number("ratio", 1, 0, 1) };
  };
  const dayMs = 86_400_000;
  switch (name) {
    case "none":
      return { fault: name };
    case "error":
      return { fault: name, status: number("status", 503, 400, 599), ...common(true) };
    case "slow":
      return { fault: name, delayMs: number("delayMs", 1000, 0, dayMs), ...common(false) };
    case "hang":
    case "reset":
      return { fault: name, ...common(true) };
    case "drop-mid-body":
      return { fault: name, afterBytes: number("afterBytes", 16, 0, 1_000_000), ...common(false) };
    case "flap":
      return {
        fault: name,
        upMs: number("upMs", 1000, 1, dayMs),
        downMs: number("downMs", 1000, 1, dayMs),
        status: number("status", 503, 400, 599),
        ...common(true),
      };
    default:
      return name satisfies never;
  }
}

const respond: FaultAction = { kind: "respond" };

/** The one fault that a cell has at a time, and the count that spreads `ratio` evenly. */
export class FaultSwitch {
  #fault: Fault = { fault: "none" };
  #setAtMs = 0;
  #owed = 0;

  current(): Fault {
    return this.#fault;
  }

  set(fault: Fault, nowMs: number): void {
    this.#fault = fault;
    this.#setAtMs = nowMs;
    this.#owed = 0;
  }

  /** What happens to a request that arrives at `nowMs`. */
  actionFor(request: { readonly health: boolean }, nowMs: number): FaultAction {
    const fault = this.#fault;
    if (fault.fault === "none") return respond;
    if (request.health) return fault.healthToo ? this.#act(fault, nowMs) : respond;
    this.#owed += fault.ratio;
    if (this.#owed < 1) return respond;
    this.#owed -= 1;
    return this.#act(fault, nowMs);
  }

  #act(fault: Exclude<Fault, { fault: "none" }>, nowMs: number): FaultAction {
    switch (fault.fault) {
      case "error":
        return { kind: "error", status: fault.status };
      case "slow":
        return { kind: "slow", delayMs: fault.delayMs };
      case "hang":
        return { kind: "hang" };
      case "reset":
        return { kind: "reset" };
      case "drop-mid-body":
        return { kind: "drop-mid-body", afterBytes: fault.afterBytes };
      case "flap": {
        // Derived from the time it was set, so no timer has to run.
        const phaseMs = (nowMs - this.#setAtMs) % (fault.upMs + fault.downMs);
        return phaseMs < fault.upMs ? respond : { kind: "error", status: fault.status };
      }
      default:
        return fault satisfies never;
    }
  }
}
