import { describe, expect, test } from "vitest";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { type Decoded, decodeTable, decodeTableOffloaded } from "../src/table-decoder.ts";
import { exampleDocument, largeDocument } from "./documents.ts";

const bytesOf = (document: unknown) => Buffer.from(JSON.stringify(document));

function tableIn(decoded: Decoded) {
  if (!decoded.ok) throw new Error(decoded.faults.join("\n"));
  return decoded.table;
}

describe("decodeTable", () => {
  test("skips a byte order mark, which some editors write", () => {
    const bytes = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytesOf(exampleDocument())]);
    expect(decodeTable(bytes)).toEqual(decodeTable(bytesOf(exampleDocument())));
  });

  test("refuses bytes that are not UTF-8 instead of turning a key into another one", () => {
    const text = JSON.stringify({ ...exampleDocument(), routingTable: { "k\u00e9y": "tier1" } });
    expect(decodeTable(Buffer.from(text, "latin1")).ok).toBe(false);
    expect(decodeTable(Buffer.from(text, "utf8")).ok).toBe(true);
  });

  test("lists a hundred faults and counts the others", () => {
    const wrong = Object.fromEntries(Array.from({ length: 250 }, (_, i) => [`t${i}`, "tier9"]));
    const decoded = decodeTable(bytesOf({ ...exampleDocument(), routingTable: wrong }));
    if (decoded.ok) throw new Error("The table has faults");
    expect(decoded.faults).toHaveLength(101);
    expect(decoded.faults.at(-1)).toBe("… and 150 more");
  });
});

describe("decodeTableOffloaded", () => {
  failOnLeaks();

  // Around the borders of a slice, whose size is the other thread's business: 2,000 keys.
  test.each([0, 1, 1_997, 1_998, 1_999, 3_998, 5_000])(
    "finds what decodeTable finds, with %i more keys",
    async (more) => {
      const bytes = bytesOf(largeDocument(more));
      const decoded = await decodeTableOffloaded(bytes);
      expect(decoded).toEqual(decodeTable(bytes));
      expect(tableIn(decoded).placementByKey.size).toBe(more + 2);
    },
  );

  test("keeps one placement object for all of its keys", async () => {
    const table = tableIn(await decodeTableOffloaded(bytesOf(largeDocument(10))));
    expect(table.placementByKey.get("tenant-0")).toBe(table.placements.get("tier1"));
    expect(table.placementByKey.get("tenant-2")).toBe(table.placements.get("tier1"));
    expect(table.defaultPlacement).toBe(table.placements.get("tier3"));
  });

  test("finds the same faults", async () => {
    for (const bytes of [bytesOf({ ...largeDocument(3_000), defaultPlacement: "tier9" }), Buffer.from("{")]) {
      const decoded = await decodeTableOffloaded(bytes);
      expect(decoded.ok).toBe(false);
      expect(decoded).toEqual(decodeTable(bytes));
    }
  });

  test("takes a bounded amount of memory, and names a document that needs more", async () => {
    const bytes = bytesOf(largeDocument(100_000));
    expect(await decodeTableOffloaded(bytes, undefined, 20)).toEqual({
      ok: false,
      faults: ["(document): takes more than 20 MiB to read"],
    });
  });

  test("ends when it is told to", async () => {
    const stop = new AbortController();
    const decoding = decodeTableOffloaded(bytesOf(largeDocument(50_000)), stop.signal);
    stop.abort();
    await expect(decoding).rejects.toMatchObject({ name: "AbortError" });
  });
});
