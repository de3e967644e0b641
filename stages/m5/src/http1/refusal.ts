// Why a message is refused. Refusals are values, never exceptions: hostile input must not be the slow path.
// The code is one of the router's error codes; the rule is for the log and for tests, and no client sees it.

export type RefusalCode =
  | "malformed-request"
  | "ambiguous-host"
  | "unsupported-target"
  | "version-not-supported"
  | "transfer-coding-not-supported"
  | "request-timeout"
  | "content-too-large"
  | "header-fields-too-large";

export interface Refusal {
  readonly code: RefusalCode;
  /** The rule that was broken, such as `bare LF`. */
  readonly rule: string;
}

/** A refusal is made once, when its module loads: refusing costs no allocation. */
export function refusal(rule: string, code: RefusalCode = "malformed-request"): Refusal {
  return { code, rule };
}
