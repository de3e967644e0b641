// The attempts of requests: who serves now, how it went, whether another attempt follows. The loop itself stands in
// `trim/attempt-loop.ts`, and goes on by calls and not by promises: nearly every request has one attempt, which waits for
// nothing but its response.

import type {
  AttemptDriver,
  AttemptedRequest,
  AttemptResult,
  AttemptsDependencies,
  AttemptsResult,
} from "./attempt.ts";
import type { Placement, RoutingTable } from "./routing-table.ts";
import { AttemptLoop } from "./trim/attempt-loop.ts";

export type { AttemptedRequest } from "./attempt.ts";

/** Sends the request to `target`. `shouldForward` is asked once, when the head of a final response has come. */
export type Send = (target: Placement, shouldForward: (status: number) => boolean) => Promise<AttemptResult>;

export class Attempts {
  readonly #deps: AttemptsDependencies;

  constructor(dependencies: AttemptsDependencies) {
    this.#deps = dependencies;
  }

  /**
   * The attempts of one request. `next` begins; they end when a response has been passed on, the client has left, or nothing
   * more may be tried. Whoever catches what one of the calls throws calls `abandon`.
   */
  of(request: AttemptedRequest, table: RoutingTable, primary: Placement, driver: AttemptDriver): AttemptLoop {
    return new AttemptLoop(this.#deps, request, table, primary, driver);
  }

  /** All of it, for a caller that sends with a promise. */
  run(
    request: AttemptedRequest,
    table: RoutingTable,
    primary: Placement,
    send: Send,
  ): Promise<AttemptsResult> {
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => {
        reject(error);
        loop.abandon();
      };
      const loop = this.of(request, table, primary, {
        send: () =>
          void send(loop.target, (status) => loop.shouldForward(status))
            .then((result) => loop.ended(result))
            .catch(fail),
        onEnd: resolve,
        onThrow: fail,
      });
      try {
        loop.next();
      } catch (error) {
        fail(error);
      }
    });
  }
}
