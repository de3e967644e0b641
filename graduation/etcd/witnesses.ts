// Positions that routers have and that this control plane cannot account for, until the cluster has been asked about them.

import type { Position } from "../../stages/m4/src/protocol.ts";

/**
 * While the cluster cannot be asked, nobody can make this list long. All of them must fit into the former epochs of the
 * next epoch, or the same witness would be the reason for another one. A router that is left out comes again.
 */
const maxWitnesses = 32;

export class Witnesses {
  /** The latest position of each epoch: it proves what the others prove. */
  readonly #byEpoch = new Map<string, Position>();

  add(have: Position): void {
    const known = this.#byEpoch.get(have.epoch);
    if (known === undefined && this.#byEpoch.size >= maxWitnesses) return;
    if (known === undefined || have.revision > known.revision) this.#byEpoch.set(have.epoch, have);
  }

  all(): readonly Position[] {
    return [...this.#byEpoch.values()];
  }

  /** They have been heard; what came later in the same epoch has not. */
  dismiss(heard: readonly Position[]): void {
    for (const have of heard) if (this.#byEpoch.get(have.epoch) === have) this.#byEpoch.delete(have.epoch);
  }

  get areWaiting(): boolean {
    return this.#byEpoch.size > 0;
  }
}
