// What two agents, or an agent and a HAProxy that runs already, must not do to each other.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { lockFolder } from "../../folder-lock.ts";
import { type Drift, needsReload } from "./drift.ts";

test("a folder has one agent: the second one is told who has it, and may have it afterwards", () => {
  const folder = mkdtempSync(join(tmpdir(), "haproxy-lock-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  {
    using _first = lockFolder(folder, "agent");
    expect(() => lockFolder(folder, "agent")).toThrow(
      `process ${process.pid}; set STATE_DIR to another folder`,
    );
  }
  using _second = lockFolder(folder, "agent");
});

describe("taking over a HAProxy that holds another table", () => {
  const none: Drift = { maps: [], servers: [], wrong: [] };

  test("is a reload where a request could see half of the change", () => {
    expect(needsReload({ ...none, maps: ["keys.map", "default.map"] })).toBe(true);
    expect(needsReload({ ...none, wrong: ["p_visa/cell is missing"] })).toBe(true);
  });

  test("is none where one thing changes at one moment", () => {
    const limited = { kind: "server-maxconn", backend: "p_a", server: "f1_b", maxconn: 5 } as const;
    expect(needsReload({ ...none, maps: ["keys.map"], servers: [limited] })).toBe(false);
  });
});
