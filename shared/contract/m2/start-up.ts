// A router without any good table must not start: it would refuse every request, and nobody would know why.

import { describe, expect, test } from "vitest";
import { policy } from "../grades.ts";
import { tableOver } from "./tables.ts";
import type { ReloadTarget } from "./target.ts";

export function describeStartUp(target: ReloadTarget): void {
  describe.skipIf(target.startToFail === undefined)("a start-up", policy, () => {
    const table = () => tableOver(() => "http://127.0.0.1:9001", "1.0.0");

    test("without a file ends with code 1 and says which file is missing", async () => {
      const failed = await target.startToFail?.(undefined);
      expect(failed).toMatchObject({ code: 1, signal: null });
      expect(failed?.stderr).toMatch(/routing\.json/);
      expect(failed?.stderr).toMatch(/ENOENT|no such file/i);
      expect(failed?.stderr, "a sentence, not a stack").not.toMatch(/^\s+at /m);
    });

    test("with a file that is not JSON ends with code 1 and says so", async () => {
      const failed = await target.startToFail?.("{ version: ");
      expect(failed).toMatchObject({ code: 1, signal: null });
      expect(failed?.stderr).toMatch(/routing\.json/);
      expect(failed?.stderr).toMatch(/JSON/);
    });

    test("with a faulty table ends with code 1 and names every fault", async () => {
      const faulty = { ...table(), defaultPlacement: "nowhere", extra: 1 };
      faulty.routingTable["acme"] = "elsewhere";
      const failed = await target.startToFail?.(JSON.stringify(faulty));
      expect(failed).toMatchObject({ code: 1, signal: null });
      for (const path of ["defaultPlacement", "routingTable.acme", "extra"])
        expect(failed?.stderr).toContain(path);
    });
  });
}
