import { expect, test } from "vitest";
import { staticRoutingTable } from "../src/routing-table.ts";
import { type Snapshot, TableStore } from "../src/table-store.ts";

test("has no snapshot before the first table, then always the newest", () => {
  const store = new TableStore();
  expect(store.current()).toBeUndefined();
  const first = staticRoutingTable();
  const second = staticRoutingTable();
  store.swap(first);
  expect(store.current()).toEqual({ sequence: 1, table: first });
  store.swap(second);
  expect(store.current()?.sequence).toBe(2);
  expect(store.current()?.table).toBe(second);
});

test("leaves a snapshot that a request holds as it was", () => {
  const store = new TableStore();
  const first = staticRoutingTable();
  const held = store.swap(first);
  store.swap(staticRoutingTable());
  expect(held).toEqual({ sequence: 1, table: first });
});

test("tells subscribers what came and what went, until they unsubscribe", () => {
  const store = new TableStore();
  const seen: [Snapshot, Snapshot | undefined][] = [];
  const unsubscribe = store.subscribe((next, previous) => seen.push([next, previous]));
  const first = store.swap(staticRoutingTable());
  const second = store.swap(staticRoutingTable());
  unsubscribe();
  store.swap(staticRoutingTable());
  expect(seen).toEqual([
    [first, undefined],
    [second, first],
  ]);
});
