// What the tail hands on of a log that grows, and that somebody empties or replaces.

import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { AccessLogTail } from "../access-log-tail.ts";

/** An empty log that is followed until the test ends. `read` gives all that has come. */
function followedLog() {
  const folder = mkdtempSync(join(tmpdir(), "access-log-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "access.log");
  writeFileSync(path, "");
  let text = "";
  const tail = new AccessLogTail(path, (lines) => {
    text += lines;
  });
  onTestFinished(() => tail.close());
  return { path, read: () => text };
}

test("another file in the log's place is followed, whatever stood there meanwhile", async () => {
  const { path, read } = followedLog();
  appendFileSync(path, "first\n");
  renameSync(path, `${path}.1`);
  mkdirSync(path);
  await eventually(() => read() === "first\n", { what: "a line of the old file" });
  rmdirSync(path);
  writeFileSync(path, "second\n");
  await eventually(() => read() === "first\nsecond\n", { what: "a line of the new file" });
});

test("lines come whole and once, also after the log was emptied", async () => {
  const { path, read } = followedLog();
  appendFileSync(path, "first line\nsecond");
  await eventually(() => read() !== "", { what: "a whole line" });
  expect(read()).toBe("first line\n");
  appendFileSync(path, " line\n");
  await eventually(() => read() === "first line\nsecond line\n", { what: "the second line" });
  writeFileSync(path, "");
  appendFileSync(path, "third\n");
  await eventually(() => read().endsWith("third\n"), { what: "a line after the log was emptied" });
  expect(read()).toBe("first line\nsecond line\nthird\n");
});
