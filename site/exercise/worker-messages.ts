// What the page and its worker tell each other.

import type { RunResults } from "../../exercises/support/result-reporter.ts";
import type { TraceEvent } from "../../scripts/exercise/run-outcome.ts";
import type { AnswerFiles } from "./bundle.ts";
import type { TestsOf } from "./check-in-page.ts";
import type { SceneRecording, SceneTask } from "./scene-run.ts";

export type ToWorker =
  | { readonly kind: "prepare"; readonly tests: TestsOf; readonly externals: readonly string[] }
  | { readonly kind: "check"; readonly answer: AnswerFiles }
  | { readonly kind: "scene"; readonly task: SceneTask };

export type FromWorker =
  | { readonly kind: "ready" }
  /** Sent before the code runs: when it never comes back, this is the only witness. */
  | { readonly kind: "trace"; readonly event: TraceEvent }
  | { readonly kind: "results"; readonly results: RunResults }
  | { readonly kind: "scene"; readonly recordings: readonly SceneRecording[] }
  | { readonly kind: "scene-failed"; readonly message: string; readonly stack: string }
  | { readonly kind: "broken"; readonly message: string };
