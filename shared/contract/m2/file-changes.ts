// Every way in which a file changes: in place, in pieces, renamed over, deleted, written a hundred times, or not at all.

import { rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { eventually } from "../../testkit/eventually.ts";
import type { ReloadContract } from "./contract.ts";
import { expectSeenInTime, withoutMachineDelay } from "./seen-in-time.ts";
import { rewritten, type Table } from "./tables.ts";

export function describeFileChanges(contract: ReloadContract): void {
  const acmeOn = (placement: string): Table =>
    contract.table((table) => (table.routingTable["acme"] = placement));

  /** As editors and careful programs write: a new file, then its name. */
  const renameOver = async (content: string) => {
    const temporary = `${contract.file}.tmp`;
    await writeFile(temporary, content);
    await rename(temporary, contract.file);
  };

  describe("a change of the file", () => {
    test("is seen within 100 ms of the end of the write", async () => {
      const tookMs: number[] = [];
      for (let round = 0; round < 9; round++) {
        const table = acmeOn(round % 2 === 0 ? "tier2" : "tier1");
        await contract.write(table);
        const writtenAt = (await stat(contract.file)).mtimeMs;
        const seen = async () => Date.parse((await contract.uses(table)).appliedAt) - writtenAt;
        tookMs.push(await withoutMachineDelay(seen));
      }
      expectSeenInTime(tookMs);
    });

    test("is seen each time that another file is renamed over it", async () => {
      for (const placement of ["tier2", "tier3", "tier1"]) {
        const table = acmeOn(placement);
        await renameOver(contract.text(table));
        await contract.uses(table);
        expect(await contract.served("acme")).toBe(`${placement} by ${placement} because tier`);
      }
    });

    test("is seen after a backup took the old file away, as some editors save", async () => {
      for (const placement of ["tier2", "tier3"]) {
        const table = acmeOn(placement);
        await rename(contract.file, `${contract.file}.bak`);
        await contract.write(table);
        await contract.uses(table);
      }
    });

    test("takes effect once it is whole, when it is written in pieces", async () => {
      const table = acmeOn("tier2");
      const text = contract.text(table);
      await writeFile(contract.file, text.slice(0, text.length / 2));
      await contract.complains(/JSON/);
      expect(await contract.served("acme")).toBe("tier1 by tier1 because tier");
      await writeFile(contract.file, text.slice(text.length / 2), { flag: "a" });
      await contract.uses(table);
      expect(await contract.served("acme")).toBe("tier2 by tier2 because tier");
    });

    test("ends in the last of a hundred writes in a row", async () => {
      const last = acmeOn("tier2");
      for (let i = 1; i < 100; i++) await contract.write(acmeOn("tier1"));
      await contract.write(last);
      await contract.uses(last);
      expect(await contract.served("acme")).toBe("tier2 by tier2 because tier");
    });

    test("is seen while the file is written without a pause", async () => {
      const before = await contract.config();
      let done = false;
      const seen = eventually(async () => (await contract.config()).checksum !== before.checksum, {
        what: "one of the many versions is in use",
        deadlineMs: 10_000,
      }).finally(() => {
        done = true;
      });
      while (!done) await renameOver(contract.text(acmeOn("tier2")));
      await seen;
    });
  });

  describe("a file that is gone", () => {
    test("leaves the table in use, and says so", async () => {
      const before = await contract.config();
      await rm(contract.file);
      const { version, checksum, appliedAt } = await contract.complains(/ENOENT|no such file/i);
      expect({ version, checksum, appliedAt }).toEqual({
        version: before.version,
        checksum: before.checksum,
        appliedAt: before.appliedAt,
      });
      expect(await contract.served("acme")).toBe("tier1 by tier1 because tier");
    });

    test("is followed again when it comes back", async () => {
      for (const placement of ["tier2", "tier1"]) {
        await rm(contract.file);
        await contract.complains(/ENOENT|no such file/i);
        await contract.apply(acmeOn(placement));
        expect(await contract.served("acme")).toBe(`${placement} by ${placement} because tier`);
      }
    });
  });

  describe("a file whose content stays the same", () => {
    test.each<[string, (table: Table) => string | undefined]>([
      ["written again", (table) => contract.text(table)],
      ["written in another order and layout", rewritten],
      ["touched", () => undefined],
    ])("is not applied again when it is %s", async (_, textOf) => {
      const table = acmeOn("tier2");
      const first = await contract.apply(table);
      await contract.write("{");
      await contract.complains();
      await contract.write(textOf(table) ?? contract.text(table));
      const second = await contract.uses(table);
      expect(second).toEqual(first);
      const now = new Date();
      await utimes(contract.file, now, now);
      expect(await contract.uses(table)).toEqual(first);
    });
  });

  describe("SIGHUP", () => {
    test("asks for a look at the file, and never ends the router", async ({ skip }) => {
      const { hangUp } = contract.router;
      if (hangUp === undefined) return skip("the process is not known");
      const table = acmeOn("tier2");
      for (let i = 0; i < 5; i++) hangUp();
      await contract.write(table);
      hangUp();
      await contract.uses(table);
      await contract.write("{");
      hangUp();
      await contract.complains();
      expect(await contract.served("acme")).toBe("tier2 by tier2 because tier");
    });
  });
}
