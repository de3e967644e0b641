// What goes to etcd's JSON gateway and what comes back. Pure. etcd's JSON is that of protocol buffers: keys and values in
// base64, 64-bit numbers as text, and fields that have their default value are left out.
// https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/

import { z } from "zod";

/** A value, and where it stands in the cluster's history. */
export interface Entry {
  readonly value: Buffer;
  /** The revision of the cluster that wrote it: no two writes of one cluster have the same. */
  readonly modRevision: number;
  /** How often the key has been written since it was made. */
  readonly version: number;
}

/** Names of the store's keys, which follow the prefix. `write` says which write was the last one. */
export const storeKeys = ["table", "epoch", "write"] as const;

/** The store's keys at one revision of the cluster. */
export interface KeyRange {
  readonly clusterId: string;
  readonly revision: number;
  /** By the key's name without the prefix. */
  readonly entries: ReadonlyMap<string, Entry>;
}

export type TxnResult =
  | { readonly succeeded: true; readonly clusterId: string; readonly revision: number }
  /** One of the conditions does not hold; the keys, read at that moment. */
  | { readonly succeeded: false; readonly found: KeyRange };

export type WatchMessage =
  | { readonly kind: "created" | "progress" }
  /** `undefined` for a key that was deleted. */
  | {
      readonly kind: "changes";
      readonly revision: number;
      readonly changes: ReadonlyMap<string, Entry | undefined>;
    }
  /** etcd has forgotten what came before this revision, or gives no reason. */
  | { readonly kind: "cancelled"; readonly compactRevision: number; readonly reason: string };

/** JavaScript counts in doubles; at a thousand writes a second a cluster gets beyond them after 285,000 years. */
const int64 = z
  .string()
  .default("0")
  .transform(Number)
  .refine((value) => Number.isSafeInteger(value), "beyond what JavaScript counts exactly");

/** An id has 64 bits and no order: it stays text. */
const id = z
  .string()
  .regex(/^\d{1,20}$/, "no 64-bit number")
  .default("0");
const header = z.object({ cluster_id: id, revision: int64 });
const keyValue = z.object({
  key: z.base64(),
  value: z.base64().default(""),
  mod_revision: int64,
  version: int64,
});
/** One response for each of the store's keys. With one fewer, a key would look as if nobody had written it. */
const ranges = z
  .array(z.object({ response_range: z.object({ kvs: z.array(keyValue).default([]) }) }))
  .length(storeKeys.length);
const read = z.object({ header, responses: ranges });
const txn = z.discriminatedUnion("succeeded", [
  z.object({ header, succeeded: z.literal(true) }),
  z.object({ header, succeeded: z.literal(false).default(false), responses: ranges }),
]);
const watch = z.object({
  result: z.object({
    header,
    created: z.boolean().default(false),
    canceled: z.boolean().default(false),
    compact_revision: int64,
    cancel_reason: z.string().default(""),
    events: z.array(z.object({ type: z.string().default("PUT"), kv: keyValue })).default([]),
  }),
});

const base64 = (text: string | Buffer): string => Buffer.from(text).toString("base64");

/** Every key that begins with `prefix`: up to the first one that does not. `prefix` ends in an ASCII character. */
function keysUnder(prefix: string): { readonly key: string; readonly range_end: string } {
  const last = prefix.charCodeAt(prefix.length - 1);
  return { key: base64(prefix), range_end: base64(prefix.slice(0, -1) + String.fromCharCode(last + 1)) };
}

export interface ReadOptions {
  /** Where the keys stand in history, without their values. @default false */
  readonly keysOnly?: boolean;
  /** The keys as they were at this revision of the cluster. @default the newest */
  readonly revision?: number;
}

/**
 * By name, in one transaction, so all as of one moment: whatever else somebody keeps under the prefix is not read. etcd
 * asks a majority before it responds, unless told that a stale response will do: the read is linearizable.
 */
export function readRequest(prefix: string, options: ReadOptions = {}): object {
  return { success: rangesOf(prefix, options) };
}

function rangesOf(prefix: string, { keysOnly = false, revision }: ReadOptions): object[] {
  const how = {
    ...(keysOnly && { keys_only: true }),
    ...(revision !== undefined && { revision: String(revision) }),
  };
  return storeKeys.map((name) => ({ request_range: { key: base64(prefix + name), ...how } }));
}

// #region txn
/** Puts all of `puts`, or nothing, if each key still has the mod revision in `expected`; 0: there is no such key. */
export function txnRequest(
  prefix: string,
  expected: Readonly<Record<string, number>>,
  puts: Readonly<Record<string, string>>,
): object {
  return {
    compare: Object.entries(expected).map(([name, revision]) => ({
      key: base64(prefix + name),
      target: "MOD",
      result: "EQUAL",
      mod_revision: String(revision),
    })),
    success: Object.entries(puts).map(([name, value]) => ({
      request_put: { key: base64(prefix + name), value: base64(value) },
    })),
    failure: rangesOf(prefix, {}),
  };
}
// #endregion txn

export function watchRequest(prefix: string, fromRevision: number): object {
  const create = { ...keysUnder(prefix), start_revision: String(fromRevision), progress_notify: true };
  return { create_request: create };
}

/** @throws Error when it is not a message of etcd's; so do the others */
export function readRange(prefix: string, message: unknown): KeyRange {
  const { header, responses } = read.parse(message);
  return { clusterId: header.cluster_id, revision: header.revision, entries: entriesOf(prefix, responses) };
}

export function readTxn(prefix: string, message: unknown): TxnResult {
  const parsed = txn.parse(message);
  const { cluster_id: clusterId, revision } = parsed.header;
  if (parsed.succeeded) return { succeeded: true, clusterId, revision };
  return { succeeded: false, found: { clusterId, revision, entries: entriesOf(prefix, parsed.responses) } };
}

export function readWatch(prefix: string, message: unknown): WatchMessage {
  const { result } = watch.parse(message);
  if (result.canceled)
    return { kind: "cancelled", compactRevision: result.compact_revision, reason: result.cancel_reason };
  const changes = new Map<string, Entry | undefined>();
  for (const { type, kv } of result.events) {
    const name = nameOf(prefix, kv.key);
    if (isStoreKey(name)) changes.set(name, type === "DELETE" ? undefined : entryOf(kv));
  }
  if (changes.size === 0) return { kind: result.created ? "created" : "progress" };
  return { kind: "changes", revision: result.header.revision, changes };
}

type KeyValue = z.infer<typeof keyValue>;

function entriesOf(prefix: string, responses: z.infer<typeof ranges>): ReadonlyMap<string, Entry> {
  const kvs = responses.flatMap(({ response_range }) => response_range.kvs);
  return new Map(kvs.map((kv) => [nameOf(prefix, kv.key), entryOf(kv)]));
}

const isStoreKey = (name: string): boolean => storeKeys.some((each) => each === name);

function entryOf({ value, mod_revision: modRevision, version }: KeyValue): Entry {
  return { value: Buffer.from(value, "base64"), modRevision, version };
}

function nameOf(prefix: string, key: string): string {
  return Buffer.from(key, "base64").toString("utf8").slice(prefix.length);
}
