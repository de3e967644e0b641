// How `ctl` shows a fleet to a person.

import type { colours } from "../command-line.ts";
import type { FleetView, RouterView } from "./client.ts";

export function fleetLines(fleet: FleetView, c: ReturnType<typeof colours>): string[] {
  const head = `revision ${fleet.revision} of epoch ${fleet.epoch}`;
  if (fleet.routers.length === 0) return [head, "no router has said hello yet"];
  const rows = fleet.routers.map((router) => [
    router.id,
    linkOf(router),
    runsOf(router, fleet),
    nackOf(router),
  ]);
  const table = [["ROUTER", "LINK", "RUNS", "LAST NACK"], ...rows];
  const widths = [0, 1, 2].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const lines = table.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return [
    head,
    ...lines.map((line, at) => {
      const router = fleet.routers[at - 1];
      if (router === undefined) return c.dim(line);
      return isFine(router) ? line : c.red(line);
    }),
  ];
}

export function runsOf(router: RouterView, fleet: Pick<FleetView, "epoch" | "revision">): string {
  if (router.revision === null) return "nothing pushed";
  const revision = `revision ${router.revision}${router.epoch === fleet.epoch ? "" : " of an older epoch"}`;
  return router.lagSeconds === 0 ? revision : `${revision}, behind for ${seconds(router.lagSeconds)}`;
}

function linkOf({ connected, connections, seenSecondsAgo }: RouterView): string {
  if (!connected) return `away for ${seconds(seenSecondsAgo)}`;
  return connections === 1 ? "up" : `up, ${connections} times`;
}

function nackOf({ lastNack }: RouterView): string {
  if (lastNack === null) return "";
  const [first = "", ...more] = lastNack.reasons;
  const others = more.length === 0 ? "" : ` and ${more.length} more`;
  return `revision ${lastNack.revision}, ${seconds(lastNack.secondsAgo)} ago: ${first}${others}`;
}

function isFine({ connected, lagSeconds }: RouterView): boolean {
  return connected && lagSeconds === 0;
}

function seconds(count: number): string {
  return count < 10 ? `${count.toFixed(1)} s` : `${Math.round(count)} s`;
}
