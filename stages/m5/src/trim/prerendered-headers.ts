// What the router says of a decision, to the client and to the log, ready to be written: made once for a placement and
// a reason, not once a request. Texts of a placement go when its table does.

import { decisionText } from "../access-log.ts";
import { decisionLines } from "../headers.ts";
import type { RouteDecision } from "../routing.ts";
import type { Placement } from "../routing-table.ts";

export interface PrerenderedHeaders {
  /** Lines of a response, each ended by CR LF. They hold while the placement that was routed to serves. */
  readonly lines: string;
  /** Fields of the access log. They hold under the same condition. */
  readonly log: string;
}

// #region prerendered-headers
export class PrerenderedCache {
  readonly #byPlacement = new WeakMap<Placement, Map<RouteDecision["reason"], PrerenderedHeaders>>();

  /** The texts of a decision. The same object for every request that it serves. */
  of({ placement, reason }: RouteDecision): PrerenderedHeaders {
    const known = this.#byPlacement.get(placement)?.get(reason);
    if (known !== undefined) return known;
    const { name, url } = placement;
    const texts = { lines: decisionLines(name, reason), log: decisionText(name, reason, url) };
    const byReason =
      this.#byPlacement.get(placement) ?? new Map<RouteDecision["reason"], PrerenderedHeaders>();
    this.#byPlacement.set(placement, byReason.set(reason, texts));
    return texts;
  }
}
// #endregion prerendered-headers
