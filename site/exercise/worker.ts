// The thread in which a learner's code runs. It serves one run and is ended then: nothing of it can leak into the next, and
// a loop without end holds up nobody.

import type { ErrorResult } from "../../exercises/support/result-reporter.ts";
import type { TraceEvent } from "../../scripts/exercise/run-outcome.ts";
import { runAnswer, type TestsOf } from "./check-in-page.ts";
import { format, installGlobals, loadExternals } from "./page-externals.ts";
import { recordScene, type SceneTask } from "./scene-run.ts";
import { errorResult } from "./test-suite.ts";
import type { FromWorker, ToWorker } from "./worker-messages.ts";

installGlobals();
const unhandled: ErrorResult[] = [];
let printed = "";
let tests: TestsOf | undefined;
let externals: ReadonlyMap<string, unknown> | undefined;

for (const level of ["log", "info", "warn", "error", "debug"] as const)
  console[level] = (...values: unknown[]) => {
    printed += `${format(...values)}\n`;
  };

addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  unhandled.push(errorResult(event.reason));
});
addEventListener("error", (event) => {
  event.preventDefault();
  unhandled.push(errorResult(event.error ?? event.message));
});

function takePrinted(): string {
  const taken = printed;
  printed = "";
  return taken;
}

function tell(message: FromWorker): void {
  postMessage(message);
}

async function obey(message: ToWorker): Promise<void> {
  switch (message.kind) {
    case "prepare":
      tests = message.tests;
      externals = await loadExternals(message.externals);
      return tell({ kind: "ready" });
    case "check": {
      if (tests === undefined || externals === undefined) throw new Error("The worker is not prepared");
      const context = {
        trace: (event: TraceEvent) => tell({ kind: "trace", event }),
        takePrinted,
        now: () => performance.now(),
      };
      const results = await runAnswer(tests, message.answer, externals, context);
      // What nobody catches is told a turn later.
      await new Promise((resolve) => setTimeout(resolve));
      return tell({ kind: "results", results: { ...results, unhandled: unhandled.splice(0) } });
    }
    case "scene":
      return await playScene(message.task);
    default:
      return message satisfies never;
  }
}

async function playScene(task: SceneTask): Promise<void> {
  try {
    const recordings = await recordScene(task, await loadExternals(task.externals));
    tell({ kind: "scene", recordings });
  } catch (error) {
    const { name, message, stack } = errorResult(error);
    tell({ kind: "scene-failed", message: `${name}: ${message}`, stack });
  }
}

// In order: what is to run may come while the packages are still on their way.
let last: Promise<void> = Promise.resolve();
addEventListener("message", ({ data }: MessageEvent<ToWorker>) => {
  last = last.then(() => obey(data)).catch((error) => tell({ kind: "broken", message: String(error) }));
});
