// The faults of a run, by the rule that they break: one bug shows itself in many connections.

export interface Fault {
  /** What is wrong, the same words each time. */
  readonly rule: string;
  /** This case of it. */
  readonly detail: string;
  /** The hostile connection that shows it; undefined where none can be named. */
  readonly connection: number | undefined;
}

export interface FaultGroup {
  readonly rule: string;
  count: number;
  /** The first cases. */
  readonly cases: Fault[];
}

const casesKept = 3;

export class FaultLog {
  readonly #groups = new Map<string, FaultGroup>();
  count = 0;

  add(fault: Fault): void {
    this.count += 1;
    const group = this.#groups.get(fault.rule) ?? { rule: fault.rule, count: 0, cases: [] };
    this.#groups.set(fault.rule, group);
    group.count += 1;
    if (group.cases.length < casesKept) group.cases.push(fault);
  }

  /** The connections that the kept cases name. */
  connections(): number[] {
    const named = this.groups().flatMap(({ cases }) => cases.flatMap(({ connection }) => connection ?? []));
    return [...new Set(named)];
  }

  /** Groups in the order in which they first showed. */
  groups(): FaultGroup[] {
    return [...this.#groups.values()];
  }
}
