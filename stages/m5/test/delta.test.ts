// Changes instead of whole tables: they save bytes, and whatever goes wrong with one ends in the whole table. The control
// plane's fleet and the router's receiver, with a wire between them that a test can bend.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { checksumOf } from "../src/checksum.ts";
import { DocumentHistory } from "../src/control-plane/document-history.ts";
import { Fleet } from "../src/control-plane/fleet.ts";
import type { Published } from "../src/control-plane/router-link.ts";
import { patchDocument } from "../src/delta/document-patch.ts";
import { encode, encodeSnapshot } from "../src/protocol.ts";
import { type Received, SnapshotReceiver } from "../src/snapshot-receiver.ts";
import { decodeTable } from "../src/table-decoder.ts";

type Version = Published & { readonly document: unknown };

function documentOf(keys: number, changed: string) {
  const routingTable = Object.fromEntries(Array.from({ length: keys }, (_, n) => [`tenant-${n}`, "tier1"]));
  return {
    version: "1",
    defaultPlacement: "tier1",
    routingTable: { ...routingTable, changed, ["__proto__"]: "tier1" },
    placements: {
      tier1: { kind: "tier", url: "http://127.0.0.1:9001" },
      tier2: { kind: "tier", url: "http://127.0.0.1:9002" },
    },
  };
}

function versionOf(revision: number, document: unknown): Version {
  const history = { epoch: "e", revision, checksum: checksumOf(document), formerEpochs: [] };
  return { history, document, frame: encodeSnapshot(history, JSON.stringify(document)) };
}

/** One control plane and one router, and every message between them. */
class Pair {
  readonly sent: Uint8Array[] = [];
  readonly outcomes: Received[] = [];
  readonly receiver: SnapshotReceiver;
  readonly #fleet: Fleet;
  readonly #documents = new DocumentHistory();
  readonly #bend: (message: Uint8Array) => Uint8Array;
  #current: Version;
  #revision = 1;

  constructor(keys: number, { acceptsDeltas = true, bend = (message: Uint8Array) => message } = {}) {
    this.#bend = bend;
    this.#current = versionOf(1, documentOf(keys, "tier1"));
    this.#fleet = new Fleet(this.#current, 0, { onLostHistory: () => {}, onNack: () => {} });
    this.receiver = new SnapshotReceiver({
      validate: decodeTable,
      ...(acceptsDeltas && { patch: patchDocument }),
      apply: () => {},
    });
  }

  publish(document: unknown): void {
    this.#documents.add(this.#current);
    this.#revision += 1;
    const next = versionOf(this.#revision, document);
    this.#current = { ...next, deltaFrom: this.#documents.deltasTo(next) };
    this.#fleet.publish(this.#current, 0);
  }

  /** Links the router, and lets each side say what it has to say. */
  async link(): Promise<{ settle: () => Promise<void> }> {
    const wire = {
      say: (text: string) => void this.sent.push(Buffer.from(text)),
      send: (frame: Uint8Array, done: () => void) => {
        this.sent.push(frame);
        done();
      },
      close: () => {},
    };
    const link = this.#fleet.connect(wire);
    const open = this.receiver.openLink();
    let taken = this.sent.length;
    const settle = async (): Promise<void> => {
      for (let message = this.sent[taken]; message !== undefined; message = this.sent[taken]) {
        taken += 1;
        const received = await this.receiver.receive(this.#bend(message), open);
        this.outcomes.push(received);
        if (received.kind === "reply") this.#fleet.receive(link, Buffer.from(encode(received.reply)), 0);
      }
    };
    this.#fleet.receive(link, Buffer.from(encode(this.receiver.hello("r"))), 0);
    await settle();
    return { settle };
  }

  get types(): string[] {
    return this.sent.map((message) => headOf(message)["type"]);
  }

  get upToDate(): boolean {
    return this.receiver.held()?.checksum === this.#current.history.checksum;
  }
}

function headOf(message: Uint8Array): { type: string; [field: string]: string } {
  return JSON.parse(Buffer.from(message).toString().split("\n")[0] ?? "");
}

/** Changes what follows the head of a delta, or the head. */
function bendDelta(head: (fields: object) => object, body: (text: string) => string) {
  return (message: Uint8Array): Uint8Array => {
    const [first = "", second = ""] = Buffer.from(message).toString().split("\n");
    const fields = JSON.parse(first);
    if (fields.type !== "delta") return message;
    return Buffer.from(`${JSON.stringify(head(fields))}\n${body(second)}`);
  };
}

const same = <T>(value: T): T => value;

describe("a change", () => {
  // The larger one is worked on in another thread.
  test.each([1_000, 10_000])("of one of %d keys is sent as a delta of a few bytes", async (keys) => {
    const pair = new Pair(keys);
    const { settle } = await pair.link();
    pair.publish(documentOf(keys, "tier2"));
    await settle();
    expect(pair.types).toEqual(["snapshot", "delta"]);
    expect(pair.upToDate).toBe(true);
    const [whole, delta] = pair.sent.map(({ length }) => length);
    expect(delta).toBeLessThan(350);
    expect(whole).toBeGreaterThan(keys * 20);
  });

  test("gives the message that would have brought the table whole, for the disk", async () => {
    const pair = new Pair(100);
    const { settle } = await pair.link();
    pair.publish(documentOf(100, "tier2"));
    await settle();
    const last = pair.outcomes.at(-1);
    if (last?.kind !== "reply" || last.whole === undefined) throw new Error("nothing for the disk");
    const restarted = new SnapshotReceiver({ validate: decodeTable, patch: patchDocument, apply: () => {} });
    const restored = await restarted.receive(last.whole, restarted.openLink());
    expect(restored).toMatchObject({ outcome: "applied" });
    expect(restarted.held()).toEqual(pair.receiver.held());
  });

  test("follows a change, and a new link goes on from what the router has", async () => {
    const pair = new Pair(100);
    const { settle } = await pair.link();
    pair.publish(documentOf(100, "tier2"));
    await settle();
    pair.publish({ ...documentOf(100, "tier2"), version: "2" });
    pair.publish({ ...documentOf(100, "tier1"), version: "3" });
    await settle();
    pair.publish({ ...documentOf(100, "tier1"), version: "4" });
    await pair.link();
    expect(pair.types).toEqual(["snapshot", "delta", "delta", "delta", "delta", "delta"]);
    expect(pair.upToDate).toBe(true);
  });

  test("of nearly everything is sent whole", async () => {
    const pair = new Pair(3);
    const { settle } = await pair.link();
    pair.publish({
      version: "9",
      defaultPlacement: "a",
      placements: { a: { kind: "tier", url: "http://a:1" } },
    });
    await settle();
    expect(pair.types).toEqual(["snapshot", "snapshot"]);
  });

  test("from a document that is no longer known is sent whole", async () => {
    const pair = new Pair(100);
    await pair.link();
    for (let n = 0; n < 17; n++) pair.publish({ ...documentOf(100, "tier1"), version: `v${n}` });
    pair.sent.length = 0;
    await pair.link();
    expect(pair.types).toEqual(["snapshot"]);
    expect(pair.upToDate).toBe(true);
  });

  test("starts from one of the last 16 documents: what is older leaves the memory", async () => {
    setFlagsFromString("--expose-gc");
    const collectGarbage = runInNewContext("gc") as () => void;
    const pair = new Pair(1);
    const published = Array.from({ length: 40 }, (_, n) => {
      const document = { ...documentOf(1, "tier1"), version: `v${n}` };
      pair.publish(document);
      return new WeakRef(document);
    });
    const isLastOnly = (): boolean => {
      collectGarbage();
      return published.filter((each) => each.deref() !== undefined).length === 16 + 1;
    };
    await eventually(isLastOnly, { what: "only the current document and the 16 before it are left" });
    expect(pair.sent).toEqual([]);
  });

  test("is encoded once for all routers that have the same", () => {
    const documents = new DocumentHistory();
    const before = versionOf(1, documentOf(100, "tier1"));
    documents.add(before);
    const deltaFrom = documents.deltasTo(versionOf(2, documentOf(100, "tier2")));
    const delta = deltaFrom(before.history.checksum);
    expect(delta).toBeDefined();
    expect(deltaFrom(before.history.checksum)).toBe(delta);
  });
});

describe("a delta that does not fit ends in the whole table", () => {
  test.each([
    ["names another base", bendDelta((fields) => ({ ...fields, base: "0".repeat(64) }), same)],
    ["is no JSON", bendDelta(same, () => "{")],
    ["gives another document", bendDelta(same, () => '{"version":"7"}')],
    ["gives no valid table", bendDelta(same, () => '{"placements":null}')],
    ["is empty", bendDelta(same, () => "")],
  ])("when it %s", async (_, bend) => {
    const pair = new Pair(100, { bend });
    const { settle } = await pair.link();
    pair.publish(documentOf(100, "tier2"));
    await settle();
    expect(pair.types).toEqual(["snapshot", "delta", "snapshot"]);
    expect(pair.outcomes.map((each) => each.kind === "reply" && each.outcome)).toEqual([
      "applied",
      "resync",
      "applied",
    ]);
    expect(pair.upToDate).toBe(true);
  });
});

test("a router that accepts no deltas says nothing of them and gets none", async () => {
  const pair = new Pair(100, { acceptsDeltas: false });
  expect(pair.receiver.hello("r")).toEqual({ type: "hello", protocol: 1, routerId: "r", have: null });
  const { settle } = await pair.link();
  pair.publish(documentOf(100, "tier2"));
  await settle();
  expect(pair.types).toEqual(["snapshot", "snapshot"]);
  expect(pair.upToDate).toBe(true);
});
