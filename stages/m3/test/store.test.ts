import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { RoutingStore } from "../src/control-plane/store.ts";
import {
  type Change,
  etagOf,
  removeKey,
  replaceDocument,
  type Stored,
  setKey,
} from "../src/control-plane/stored.ts";
import type { RoutingDocument } from "../src/routing-table.ts";

let folder: string;
let published: Stored[];
let faults: string[];
let epochs: number;

const path = () => join(folder, "routing.json");
const historyPath = () => join(folder, "state", "control-plane.json");

const document = (version: string): RoutingDocument => ({
  version,
  defaultPlacement: "tier1",
  routingTable: { acme: "tier1" },
  placements: {
    tier1: { kind: "tier", url: "http://127.0.0.1:9001" },
    tier2: { kind: "tier", url: "http://127.0.0.1:9002" },
  },
});

/** Valid, and larger than the store takes. */
const largeDocument = (): RoutingDocument => ({ ...document("one"), $schema: "x".repeat(20_000) });

const writeFileWith = (version: string) => writeFile(path(), JSON.stringify(document(version)));

const open = () =>
  RoutingStore.open({
    path: path(),
    historyPath: historyPath(),
    maxMessageBytes: 10_000,
    newEpoch: () => `epoch-${++epochs}`,
    assertOwner: () => {},
    onPublish: (stored) => published.push(stored),
    onFault: (error) => faults.push(error.message),
  });

const position = (store: RoutingStore) => {
  const { epoch, revision } = store.current().history;
  return `${epoch}.${revision}`;
};

const always = () => true;

const replacedBy = (value: unknown): Change => replaceDocument(Buffer.from(JSON.stringify(value)), value);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cell-routing-store-"));
  [published, faults, epochs] = [[], [], 0];
  await writeFileWith("one");
});

afterEach(() => rm(folder, { recursive: true, force: true }));

describe("opening", () => {
  test("the first time: a new epoch; again: the same position", async () => {
    expect(position(await open())).toBe("epoch-1.1");
    expect(position(await open())).toBe("epoch-1.1");
  });

  test("layout and order of the file mean nothing, content does", async () => {
    await open();
    await writeFile(path(), JSON.stringify(document("one"), null, 7));
    expect(position(await open())).toBe("epoch-1.1");
    await writeFileWith("two");
    expect(position(await open())).toBe("epoch-1.2");
  });

  test("without a history, or with a damaged one: a new epoch, and the damaged one is kept aside", async () => {
    await open();
    await rm(historyPath());
    expect(position(await open())).toBe("epoch-2.1");
    await writeFile(historyPath(), '{"format":1,"epoch":');
    expect(position(await open())).toBe("epoch-3.1");
    expect(await readdir(join(folder, "state"))).toEqual([
      "control-plane.json",
      "control-plane.json.damaged",
    ]);
  });

  test.each([
    ["missing", undefined, /ENOENT/],
    ["invalid", "{}", /defaultPlacement/],
    ["too large", JSON.stringify(largeDocument()), /10000 bytes/],
  ])("a %s file stops the start in words", async (_, content, words) => {
    await rm(path());
    if (content !== undefined) await writeFile(path(), content);
    await expect(open()).rejects.toThrow(words);
  });
});

describe("writing", () => {
  test("is on disk before it is published, as a document that people can read", async () => {
    const store = await open();
    const result = await store.write(setKey("acme", "tier2"), always);
    expect(result).toMatchObject({ kind: "stored", stored: { history: { revision: 2 } } });
    expect(published.map((each) => each.history.revision)).toEqual([2]);
    expect(JSON.parse(await readFile(path(), "utf8"))).toEqual({
      ...document("one"),
      routingTable: { acme: "tier2" },
    });
    expect(JSON.parse(await readFile(historyPath(), "utf8"))).toMatchObject({
      epoch: "epoch-1",
      revision: 2,
    });
    expect(position(await open())).toBe("epoch-1.2");
  });

  test("many at once happen one after the other, and each sees the one before it", async () => {
    const store = await open();
    await Promise.all(
      Array.from({ length: 20 }, (_, index) => store.write(setKey(`k${index}`, "tier2"), always)),
    );
    expect(published.map((each) => each.history.revision)).toEqual(
      Array.from({ length: 20 }, (_, i) => i + 2),
    );
    expect(Object.keys(store.current().document.routingTable)).toHaveLength(21);
  });

  test("only on top of what the writer has seen", async () => {
    const store = await open();
    const seen = etagOf(store.current().history);
    const matches = (etag: string) => etag === seen;
    const results = await Promise.all([
      store.write(setKey("acme", "tier2"), matches),
      store.write(replacedBy(document("mine")), matches),
    ]);
    expect(results.map(({ kind }) => kind)).toEqual(["stored", "conflict"]);
    expect(store.current().document.version).toBe("one");
  });

  test("what is invalid, too large, unknown or unchanged changes nothing", async () => {
    const store = await open();
    expect(await store.write(setKey("acme", "tier9"), always)).toMatchObject({ kind: "invalid" });
    expect(await store.write(replacedBy("?"), always)).toMatchObject({ kind: "invalid" });
    expect(await store.write(replacedBy(largeDocument()), always)).toEqual({
      kind: "too-large",
    });
    expect(await store.write(removeKey("nobody"), always)).toEqual({ kind: "unknown-key" });
    expect(await store.write(setKey("acme", "tier1"), always)).toMatchObject({ kind: "stored" });
    expect(published).toEqual([]);
    expect(position(store)).toBe("epoch-1.1");
  });

  test("a key may be named __proto__", async () => {
    const store = await open();
    await store.write(setKey("__proto__", "tier2"), always);
    expect(store.current().table.placementByKey.get("__proto__")?.name).toBe("tier2");
    expect(position(await open())).toBe("epoch-1.2");
    await store.write(removeKey("__proto__"), always);
    expect(store.current().table.placementByKey.size).toBe(1);
  });

  test("when the disk refuses the history, nothing has changed, on disk or for anybody", async () => {
    const store = await open();
    const before = await readFile(path(), "utf8");
    // A folder in its place stops even the superuser.
    await mkdir(join(`${historyPath()}.draft`, "in-the-way"), { recursive: true });
    expect(await store.write(setKey("acme", "tier2"), always)).toMatchObject({ kind: "unwritable" });
    await store.reread();
    await store.reread();
    expect(published).toEqual([]);
    expect(await readFile(path(), "utf8")).toBe(before);
    // Once, however often it is found again.
    expect(faults).toHaveLength(1);
    await rm(`${historyPath()}.draft`, { recursive: true });
    await store.reread();
    expect(store.lastError()).toBeNull();
    expect(published).toEqual([]);
    await store.write(setKey("acme", "tier2"), always);
    expect(published.map((each) => each.history.revision)).toEqual([2]);
  });

  test("a store whose revisions have run out goes on in a new epoch", async () => {
    await open();
    const history = JSON.parse(await readFile(historyPath(), "utf8"));
    const last = { ...history, revision: Number.MAX_SAFE_INTEGER };
    await writeFile(historyPath(), JSON.stringify(last));
    const store = await open();
    await store.write(setKey("acme", "tier2"), always);
    expect(position(store)).toBe("epoch-2.1");
    expect(store.current().history.formerEpochs).toEqual(["epoch-1"]);
    // One more than that is none that could be told from the next.
    await writeFile(historyPath(), JSON.stringify({ ...history, revision: 2 ** 53 }));
    expect(position(await open())).toBe("epoch-3.1");
  });

  test("more than can wait are told so, and those who wait are served", async () => {
    const store = await open();
    const results = await Promise.all(
      Array.from({ length: 300 }, () => store.write(setKey("acme", "tier1"), always)),
    );
    expect(results.filter(({ kind }) => kind === "busy")).toHaveLength(44);
    expect(results.filter(({ kind }) => kind === "stored")).toHaveLength(256);
    expect(await store.write(setKey("acme", "tier2"), always)).toMatchObject({ kind: "stored" });
  });
});

describe("edits by hand", () => {
  test("become the next revision; broken ones are told once and change nothing", async () => {
    const store = await open();
    await writeFileWith("two");
    await store.reread();
    await store.reread();
    expect(published.map((each) => each.history.revision)).toEqual([2]);
    await writeFile(path(), "{");
    await store.reread();
    await store.reread();
    expect(faults).toHaveLength(1);
    expect(store.lastError()).toBe(faults[0]);
    expect(position(store)).toBe("epoch-1.2");
    await writeFileWith("two");
    await store.reread();
    expect(store.lastError()).toBeNull();
    expect(position(store)).toBe("epoch-1.2");
  });

  test("one that undoes a write, byte for byte, is an edit too", async () => {
    const store = await open();
    const before = await readFile(path());
    await store.reread();
    await store.write(setKey("acme", "tier2"), always);
    await writeFile(path(), before);
    await store.reread();
    expect(position(store)).toBe("epoch-1.3");
    expect(store.current().document.routingTable).toEqual({ acme: "tier1" });
  });

  test("one that nobody has noticed yet comes before a write: it is not written over", async () => {
    const store = await open();
    const seen = etagOf(store.current().history);
    await writeFileWith("two");
    expect(await store.write(setKey("acme", "tier2"), (etag) => etag === seen)).toMatchObject({
      kind: "conflict",
    });
    expect(position(store)).toBe("epoch-1.2");
    await writeFileWith("three");
    await store.write(setKey("acme", "tier2"), always);
    expect(store.current().document).toMatchObject({ version: "three", routingTable: { acme: "tier2" } });
    expect(published.map((each) => each.history.revision)).toEqual([2, 3, 4]);
  });

  test("a file that is gone is told, and a write brings it back", async () => {
    const store = await open();
    await rm(path());
    await store.reread();
    expect(faults.join()).toMatch(/ENOENT/);
    await store.write(setKey("acme", "tier2"), always);
    expect(store.lastError()).toBeNull();
    expect(position(await open())).toBe("epoch-1.2");
  });

  test.each([
    ["a folder in the file's place", () => mkdir(path()), /a folder, not a regular file/],
    ["a file without end", () => symlink("/dev/zero", path()), /not a regular file/],
    ["a file larger than any table", () => writeFile(path(), " ".repeat(100_000)), /larger than/],
  ])("%s refuses a write, which changes nothing", async (_, put, why) => {
    const store = await open();
    await rm(path());
    await put();
    const cause = expect.stringMatching(why);
    expect(await store.write(setKey("acme", "tier2"), always)).toEqual({ kind: "unwritable", cause });
    expect([position(store), store.lastError()]).toEqual(["epoch-1.1", cause]);
  });
});

describe("a new epoch", () => {
  test("begins on the proof of a lost history, once however many bring the proof", async () => {
    const store = await open();
    const { checksum } = store.current().history;
    const proof = { epoch: "epoch-1", revision: 9, checksum };
    await Promise.all([store.renewEpoch(proof), store.renewEpoch(proof), store.renewEpoch(proof)]);
    expect(position(store)).toBe("epoch-2.1");
    expect(published).toHaveLength(1);
    // Those who come later with the old epoch prove nothing new.
    await store.renewEpoch({ ...proof, revision: 3 });
    expect(position(store)).toBe("epoch-2.1");
    expect(position(await open())).toBe("epoch-2.1");
  });
});
