// What a named difference between HAProxy and the contracts consists of.

export interface Difference {
  readonly name: string;
  /**
   * `engine`: HAProxy cannot do it. `choice`: it could, at a price that the words name. `not applicable`: the case asks for
   * something of ours that no engine has, such as our `/events`.
   */
  readonly kind: "engine" | "choice" | "not applicable";
  /** What HAProxy does, and what that means for a client or a cell. */
  readonly words: string;
  /** Whole titles of the cases. */
  readonly m1?: readonly string[];
  readonly m4?: readonly string[];
  /** True where the outcome depends on timing, so that a case may hold in one run and not in the next. */
  readonly sometimes?: true;
}
