// Writes keys if nobody has written any of them meanwhile, and finds out what became of a write that got no response.

import type { Clock } from "../../stages/m4/src/clock.ts";
import type { Etcd } from "./etcd-client.ts";
import { EtcdError } from "./etcd-error.ts";
import { type Entry, type KeyRange, storeKeys } from "./etcd-messages.ts";

export type Swap =
  /** Written, at `revision`; `now` may be later, when others have written since. */
  | { readonly kind: "done"; readonly revision: number; readonly now: KeyRange }
  /** Somebody else has written first. Ours is not written and never will be. */
  | { readonly kind: "beaten"; readonly now: KeyRange }
  /** Not written. */
  | { readonly kind: "failed"; readonly error: EtcdError }
  /** Nobody can tell, or not in time. It may take effect even later. */
  | { readonly kind: "unknown"; readonly error: EtcdError };

export interface SwapDependencies {
  readonly client: Etcd;
  readonly clock: Clock;
  readonly newWriteId: () => string;
}

/** Between two attempts, in milliseconds: an election that is under way takes longer than one connection refused. */
const pauseMs = 100;

const lookMs = 2_000;

// #region compare-and-swap
/**
 * A request without a response has either taken effect, or will, or never will. Sending it again does no harm: once a
 * key has changed, the condition holds no more, so of all copies at most one takes effect. And each write leaves its id
 * in a key of its own, in the same transaction: whoever finds that id there knows that its write took effect.
 */
export async function compareAndSwap(
  base: KeyRange,
  puts: Readonly<Record<string, string>>,
  budgetMs: number,
  { client, clock, newWriteId }: SwapDependencies,
): Promise<Swap> {
  const id = newWriteId();
  const written = { ...puts, write: id };
  const expected = Object.fromEntries(
    storeKeys.map((name) => [name, base.entries.get(name)?.modRevision ?? 0]),
  );
  const endMs = clock.now() + budgetMs;
  /** The first attempt of which nobody knows whether it took effect. */
  let unclear: EtcdError | undefined;
  for (;;) {
    try {
      const result = await client.txn(expected, written, Math.max(1, endMs - clock.now()));
      if (result.succeeded) {
        const { revision } = result;
        return { kind: "done", revision, now: withPuts(base, written, revision) };
      }
      return judged(base, result.found, id, unclear);
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      if (error.kind === "refused")
        return unclear === undefined ? { kind: "failed", error } : { kind: "unknown", error: unclear };
      if (error.kind === "full") return await look(base, id, client, error, unclear === undefined);
      if (error.kind === "unclear") unclear ??= error;
      if (clock.now() + pauseMs < endMs) await clock.sleep(pauseMs);
      else if (unclear === undefined) return { kind: "failed", error };
      else return await look(base, id, client, unclear, false);
    }
  }
}

/**
 * A cluster that takes no write can still be read, and may show that ours took effect.
 * @param isOver Whether no attempt can take effect any more
 */
async function look(
  base: KeyRange,
  id: string,
  client: SwapDependencies["client"],
  error: EtcdError,
  isOver: boolean,
): Promise<Swap> {
  const now = await client.read(lookMs).catch(() => undefined);
  if (now === undefined) return { kind: "unknown", error };
  if (now.entries.get("write")?.version !== base.entries.get("write")?.version)
    return judged(base, now, id, error);
  return isOver ? { kind: "failed", error } : { kind: "unknown", error };
}

/** What a condition that does not hold says about our own write. */
function judged(base: KeyRange, now: KeyRange, id: string, unclear: EtcdError | undefined): Swap {
  const last = now.entries.get("write");
  if (unclear === undefined) return { kind: "beaten", now };
  if (last?.value.toString("utf8") === id) return { kind: "done", revision: last.modRevision, now };
  const writes = (last?.version ?? 0) - (base.entries.get("write")?.version ?? 0);
  // One write or none since, and that one was not ours. Of more than one, any but the last may have been.
  return writes === 0 || writes === 1 ? { kind: "beaten", now } : { kind: "unknown", error: unclear };
}
// #endregion compare-and-swap

/** The keys after a write of `puts` at `revision`. */
export function withPuts(base: KeyRange, puts: Readonly<Record<string, string>>, revision: number): KeyRange {
  const entries = new Map<string, Entry>(base.entries);
  for (const [name, value] of Object.entries(puts)) {
    const version = (base.entries.get(name)?.version ?? 0) + 1;
    entries.set(name, { value: Buffer.from(value), modRevision: revision, version });
  }
  return { clusterId: base.clusterId, revision, entries };
}
