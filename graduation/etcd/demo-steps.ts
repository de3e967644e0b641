// What the steps of the demo share: looking, timing, and saying what went otherwise than promised.

import { BrokenPromiseError } from "../../scripts/command-line.ts";
import type { Cluster } from "../../shared/testkit/cluster.ts";
import type { EtcdControlPlane, Reply } from "./etcd-control-plane.ts";

/** @throws RangeError when there is none of that name */
export function named(controlPlanes: ReadonlyMap<string, EtcdControlPlane>, name: string): EtcdControlPlane {
  const found = controlPlanes.get(name);
  if (found === undefined) throw new RangeError(`there is no control plane ${name}`);
  return found;
}

export const adminUrl = ({ router }: Cluster): string => String(router.ready["adminUrl"]);

/** What the router says at `/debug/config`. */
export async function shown(cluster: Cluster): Promise<Readonly<Record<string, unknown>>> {
  return (await (await fetch(`${adminUrl(cluster)}/debug/config`)).json()) as Record<string, unknown>;
}

export async function timed<T>(work: () => Promise<T>): Promise<{ readonly reply: T; readonly ms: number }> {
  const startedAt = performance.now();
  const reply = await work();
  return { reply, ms: Math.round(performance.now() - startedAt) };
}

/** @throws BrokenPromiseError */
export function expectStatus({ status, body }: Reply, expected: number): void {
  if (status !== expected)
    throw new BrokenPromiseError(`Expected ${expected}, got ${status}: ${JSON.stringify(body)}`);
}
