// Writes what is about to run, synchronously, before it runs. When the learner's code never returns, the thread
// can report nothing any more: the last line of this file is then the only witness.

import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect } from "vitest";

const file = join(process.env["EXERCISE_RUN"] ?? ".", "trace.jsonl");

function write(event: "load" | "start" | "end", title: string): void {
  appendFileSync(file, `${JSON.stringify({ event, file: expect.getState().testPath ?? "", title })}\n`);
}

write("load", "");
beforeEach((context) => write("start", context.task.name));
afterEach((context) => write("end", context.task.name));
