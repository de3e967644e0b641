// After a reload, idle connections of clients stay with the old worker, and the next request on each still follows the old
// table. Where that would lead to a cell that is somebody else's now, the old worker must answer 503 instead. The master's
// socket reaches old workers. They take no `set server` any more ("Proxy is disabled"), but changes of maps: so a placement
// is closed by giving it 0 places in `places.map`.

import { dialledAt } from "../../../stages/m4/src/endpoint.ts";
import type { RoutingTable } from "../../../stages/m4/src/routing-table.ts";
import { backendName, cellServer, keyInMap } from "../names.ts";
import type { MasterFiles } from "./master-files.ts";
import { RuntimeApi } from "./runtime-api.ts";
import { parseProcesses, type ShownEntry, type ShownServer } from "./runtime-output.ts";
import { Worker } from "./worker.ts";

/** What an old worker holds: its servers, and three of its maps. */
export interface OldWorker {
  readonly servers: readonly ShownServer[];
  readonly kinds: readonly ShownEntry[];
  readonly keys: readonly ShownEntry[];
  readonly defaults: readonly ShownEntry[];
}

/**
 * Keeps the old workers of this master from cells that `table`, which the worker in charge has, gives to somebody else.
 * Requests under way finish.
 *
 * @throws Error when an old worker that still runs has not taken it over
 */
export async function guardOldWorkers(
  paths: MasterFiles,
  folder: string,
  table: RoutingTable,
): Promise<void> {
  const master = new RuntimeApi(paths.masterSocket);
  const running = async () => parseProcesses(await master.send("show proc")).oldWorkers;
  const pids = await running();
  if (pids.length === 0) return;
  const now = await new Worker(new RuntimeApi(paths.runtimeSocket), folder).servers();
  for (const pid of pids) {
    const old = new Worker({ send: (command) => master.send(`@!${pid} ${command}`) }, folder);
    try {
      for (const name of toBeClosed(await holdings(old), now, table))
        await old.setEntry("places.map", name, "0");
    } catch (error) {
      // It may have ended meanwhile.
      if ((await running()).includes(pid)) throw new Error(`HAProxy's old worker ${pid}: ${error}`);
    }
  }
}

async function holdings(old: Worker): Promise<OldWorker> {
  const servers = await old.servers();
  const kinds = await old.entries("kinds.map");
  const keys = await old.entries("keys.map");
  return { servers, kinds, keys, defaults: await old.entries("default.map") };
}

// #region to-be-closed
/**
 * The placements of an old worker that lead to a cell which is somebody else's now. As long as a placement leads to the same
 * cell in the worker in charge, that is so only for a dedicated one which has lost a key. Otherwise it is so where the cell was
 * dedicated, or now is, or belongs to another placement than before. A shared cell that has only left the table may serve what
 * is late.
 */
export function toBeClosed(old: OldWorker, now: readonly ShownServer[], table: RoutingTable): Set<string> {
  const kindBefore = new Map(old.kinds);
  const lostKey = placementsThatLostKeys(old, table);
  const leadsNow = new Set(now.map(route));
  const hadCell = new Set(old.servers.filter(isOwn).map(route));
  const owners = Map.groupBy(now.filter(isOwn), cellOf);
  const kindNow = (backend: string) => table.placements.get(placementOf(backend))?.kind;
  const isForeign = (each: ShownServer): boolean => {
    const { backend } = each;
    if (leadsNow.has(route(each)))
      return kindNow(backend) === "dedicated" && lostKey.has(placementOf(backend));
    if (isOwn(each) && kindBefore.get(placementOf(backend)) === "dedicated") return true;
    const ownersNow = owners.get(cellOf(each)) ?? [];
    return ownersNow.some((owner) => kindNow(owner.backend) === "dedicated" || !hadCell.has(route(owner)));
  };
  return new Set(old.servers.filter(isForeign).map(({ backend }) => placementOf(backend)));
}
// #endregion to-be-closed

const isOwn = ({ server }: ShownServer) => server === cellServer;
/** Two spellings of one address are one cell, as for the validator. Without an address, it is a name that DNS does not know. */
const cellOf = ({ address }: ShownServer) =>
  URL.canParse(`http://${address}`) ? dialledAt(`http://${address}`) : address;
const route = (each: ShownServer) => `${each.backend} ${cellOf(each)}`;
const placementOf = (backend: string) => backend.slice(backendName("").length);

/** The placements to which the old worker sends keys that `table` sends elsewhere. */
function placementsThatLostKeys({ keys, defaults }: OldWorker, table: RoutingTable): ReadonlySet<string> {
  const routed = new Map([...table.placementByKey].map(([key, { name }]) => [keyInMap(key), name]));
  const other = table.defaultPlacement.name;
  const lost = keys.filter(([key, name]) => (routed.get(key) ?? other) !== name);
  return new Set([...lost, ...defaults.filter(([, name]) => name !== other)].map(([, name]) => name));
}
