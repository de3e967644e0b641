// What a page of an exercise knows of it before any code has been loaded.

export interface PageParameters {
  /** The page's own name: `m4-03-half-open`. */
  readonly id: string;
  /** As the commands call it: `m4/03-half-open`. */
  readonly exercise: string;
  readonly files: readonly string[];
  /** Why it cannot be done in the page; empty when it can. */
  readonly because: string;
}
