// Files behind symbolic links. What changes is a link somewhere on the way, so the file itself is never written: a watch on
// it would stay with what the name led to at first.

import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import type { ReloadContract } from "./contract.ts";
import { expectSeenInTime, withoutMachineDelay } from "./seen-in-time.ts";
import type { Table } from "./tables.ts";

export function describeFileLayouts(contract: ReloadContract): void {
  /** Puts a link at `path`, over whatever is there, in one step. */
  const link = async (target: string, path: string) => {
    const temporary = `${path}_tmp`;
    await symlink(target, temporary);
    await rename(temporary, path);
  };
  const placements = ["tier2", "tier3", "tier1", "tier2", "tier3", "tier1"];

  /** Brings out one table after the other through `publish`, and expects each to be in use soon. */
  const publishAll = async (publish: (content: string, round: number) => Promise<void>) => {
    const tookMs: number[] = [];
    for (const [round, placement] of placements.entries()) {
      const table: Table = contract.table((each) => (each.routingTable["acme"] = placement));
      await publish(contract.text(table), round);
      const publishedAt = Date.now();
      const seen = async () => Date.parse((await contract.uses(table)).appliedAt) - publishedAt;
      tookMs.push(await withoutMachineDelay(seen));
      expect(await contract.served("acme")).toBe(`${placement} by ${placement} because tier`);
    }
    expectSeenInTime(tookMs);
  };

  describe("a file behind links", () => {
    test("is followed as Kubernetes swaps a ConfigMap: ..data leads to another directory", async () => {
      const directory = dirname(contract.file);
      const data = join(directory, "..data");
      let previous: string | undefined;
      await publishAll(async (content, round) => {
        const version = join(directory, `..version-${round}`);
        await mkdir(version);
        await writeFile(join(version, "routing.json"), content);
        await link(`..version-${round}`, data);
        if (previous === undefined) await link(join("..data", "routing.json"), contract.file);
        else await rm(previous, { recursive: true });
        previous = version;
      });
    });

    test("is followed as deployments switch releases: current leads to another directory", async () => {
      const releases = await mkdtemp(join(tmpdir(), "cell-routing-releases-"));
      try {
        await publishAll(async (content, round) => {
          await mkdir(join(releases, String(round)));
          await writeFile(join(releases, String(round), "routing.json"), content);
          await link(String(round), join(releases, "current"));
          if (round === 0) await link(join(releases, "current", "routing.json"), contract.file);
        });
      } finally {
        await contract.restore();
        await rm(releases, { recursive: true });
      }
    });

    test("is followed when it is itself a link to files elsewhere", async () => {
      const elsewhere = await mkdtemp(join(tmpdir(), "cell-routing-elsewhere-"));
      try {
        await publishAll(async (content, round) => {
          const file = join(elsewhere, `${round}.json`);
          await writeFile(file, content);
          await link(file, contract.file);
        });
        const table = contract.table();
        await writeFile(join(elsewhere, `${placements.length - 1}.json`), contract.text(table));
        await contract.uses(table);
      } finally {
        await contract.restore();
        await rm(elsewhere, { recursive: true });
      }
    });

    test("keeps the table in use while a link leads nowhere or in a circle", async () => {
      await link("nowhere.json", contract.file);
      await contract.complains(/ENOENT|no such file/i);
      await link("routing.json", contract.file);
      await contract.complains(/ELOOP|symbolic link/i);
      expect(await contract.served("acme")).toBe("tier1 by tier1 because tier");
    });
  });
}
