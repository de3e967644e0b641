// The attempts of requests: who serves now, how it went, whether another attempt follows. The loop itself stands in
// `trim/attempt-course.ts`, and goes on by calls and not by promises: nearly every request has one attempt, which waits for
// nothing but its response.

import type {
  AttemptedRequest,
  Attempter,
  AttemptResult,
  AttemptsDependencies,
  AttemptsResult,
} from "./attempt.ts";
import type { Placement, RoutingTable } from "./routing-table.ts";
import { Course } from "./trim/attempt-course.ts";

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
  of(request: AttemptedRequest, table: RoutingTable, primary: Placement, attempter: Attempter): Course {
    return new Course(this.#deps, request, table, primary, attempter);
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
        course.abandon();
      };
      const course = this.of(request, table, primary, {
        send: () =>
          void send(course.target, (status) => course.shouldForward(status))
            .then((result) => course.ended(result))
            .catch(fail),
        onEnd: resolve,
        onThrow: fail,
      });
      course.next();
    });
  }
}
