// What a control plane starts with while the key holds no valid table: the last valid one. etcd keeps the history of its
// keys until it is compacted, so a control plane that starts serves what those serve that have been running.

import type { Stored } from "../../stages/m4/src/control-plane/stored.ts";
import { type Seen, understand } from "./epoch.ts";
import { EtcdError } from "./etcd-error.ts";
import type { KeyRange } from "./etcd-messages.ts";
import type { EtcdStoreDependencies } from "./store-dependencies.ts";

/** Somebody tries a few times, and then looks for help. */
const maxInvalidInARow = 16;

/** @throws Error that says what to do when there is none */
export async function lastValid(
  range: KeyRange,
  faults: readonly string[],
  { client, tableKey }: Pick<EtcdStoreDependencies, "client" | "tableKey">,
  budgetMs: number,
): Promise<{ readonly seen: Seen; readonly stored: Stored }> {
  let older: KeyRange | undefined = range;
  for (let step = 0; step < maxInvalidInARow; step++) {
    const revision: number = (older.entries.get("table")?.modRevision ?? 1) - 1;
    older = revision < 1 ? undefined : await readAt(revision, client, budgetMs);
    if (older === undefined) break;
    const seen = understand(older);
    if (seen.stored !== undefined) return { seen, stored: seen.stored };
    if (seen.content.kind !== "invalid") break;
  }
  throw new Error(
    `${invalidWords(tableKey, faults)}\nNo older valid table is left in etcd's history either. ` +
      `Put a valid one there: etcdctl put ${tableKey} < routing.json`,
  );
}

/** Undefined when etcd has compacted that revision. */
function readAt(
  revision: number,
  client: EtcdStoreDependencies["client"],
  budgetMs: number,
): Promise<KeyRange | undefined> {
  return client.read(budgetMs, { revision }).catch((error: unknown) => {
    if (error instanceof EtcdError && error.kind === "refused") return undefined;
    throw error;
  });
}

export function invalidWords(tableKey: string, faults: readonly string[]): string {
  return (
    `The key ${tableKey} in etcd holds no valid table. Replace the whole table (PUT /v1/routing with If-Match: *). ` +
    `What is wrong: ${faults.join("\n")}`
  );
}
