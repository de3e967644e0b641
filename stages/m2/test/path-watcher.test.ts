import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { PathWatcher } from "../src/path-watcher.ts";

/** A folder with one watched file in it. */
class Watched implements AsyncDisposable {
  readonly directory: string;
  readonly faults: string[] = [];
  changes = 0;
  readonly watcher: PathWatcher;

  private constructor(directory: string, path: string) {
    this.directory = directory;
    this.watcher = new PathWatcher(
      path,
      () => {
        this.changes += 1;
      },
      (error) => this.faults.push(error.message),
    );
  }

  static async open(arrange: (directory: string) => Promise<string>): Promise<Watched> {
    const directory = await mkdtemp(join(tmpdir(), "cell-routing-watch-"));
    const watched = new Watched(directory, join(directory, await arrange(directory)));
    await watched.watcher.refresh();
    return watched;
  }

  async expectNoticed(act: () => Promise<unknown>): Promise<void> {
    const before = this.changes;
    await act();
    await eventually(() => this.changes > before, { what: "the change is noticed" });
    await this.watcher.refresh();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.watcher.close();
    await rm(this.directory, { recursive: true, force: true });
  }
}

const plainFile = async (directory: string) => {
  await writeFile(join(directory, "routing.json"), "old");
  return "routing.json";
};

describe("PathWatcher", () => {
  failOnLeaks();

  test("notices writes, renames over the file, its end and its return", async () => {
    await using watched = await Watched.open(plainFile);
    const file = join(watched.directory, "routing.json");
    const other = join(watched.directory, "other");
    for (let round = 0; round < 3; round++) {
      await watched.expectNoticed(() => writeFile(file, `${round}`));
      await writeFile(other, "renamed");
      await watched.expectNoticed(() => rename(other, file));
      await watched.expectNoticed(() => rm(file));
      await watched.expectNoticed(() => writeFile(file, "back"));
    }
  });

  test("takes no notice of other files in the folder", async () => {
    await using watched = await Watched.open(plainFile);
    for (const name of ["routing.json.swp", "4913", "access.log"]) {
      await writeFile(join(watched.directory, name), "noise");
      await rm(join(watched.directory, name));
    }
    // Events come in order: once this one is there, the others have been and gone.
    await watched.expectNoticed(() => writeFile(join(watched.directory, "routing.json"), "new"));
    expect(watched.changes).toBeLessThanOrEqual(2);
  });

  test("notices that a link in the middle of the path leads elsewhere", async () => {
    await using watched = await Watched.open(async (directory) => {
      for (const name of ["release-0", "release-1", "release-2"]) {
        await mkdir(join(directory, name));
        await writeFile(join(directory, name, "routing.json"), name);
      }
      await symlink("release-0", join(directory, "current"));
      return "current/routing.json";
    });
    for (const name of ["release-1", "release-2"]) {
      const link = join(watched.directory, "link");
      await symlink(name, link);
      await watched.expectNoticed(() => rename(link, join(watched.directory, "current")));
      await watched.expectNoticed(() => writeFile(join(watched.directory, name, "routing.json"), "edited"));
    }
  });

  test("stays with the path when the whole folder is replaced", async () => {
    await using watched = await Watched.open(async (directory) => {
      await mkdir(join(directory, "config"));
      await writeFile(join(directory, "config/routing.json"), "old");
      return "config/routing.json";
    });
    const config = join(watched.directory, "config");
    await watched.expectNoticed(() => rename(config, join(watched.directory, "gone")));
    await mkdir(config);
    await watched.watcher.refresh();
    await watched.expectNoticed(() => writeFile(join(config, "routing.json"), "new"));
    expect(watched.faults).toEqual([]);
  });

  test("waits for a folder that is not there yet", async () => {
    await using watched = await Watched.open(async () => "later/routing.json");
    await mkdir(join(watched.directory, "later"));
    await watched.watcher.refresh();
    await watched.expectNoticed(() => writeFile(join(watched.directory, "later/routing.json"), "new"));
  });

  test("gives up on a circle of links", async () => {
    await using watched = await Watched.open(async (directory) => {
      await symlink("routing.json", join(directory, "routing.json"));
      return "routing.json";
    });
    await watched.expectNoticed(() => rm(join(watched.directory, "routing.json")));
  });

  test("is silent after its end", async () => {
    await using watched = await Watched.open(plainFile);
    watched.watcher.close();
    await watched.watcher.refresh();
    await writeFile(join(watched.directory, "routing.json"), "new");
    await new Promise((resolve) => setImmediate(resolve));
    expect(watched.changes).toBe(0);
  });
});
