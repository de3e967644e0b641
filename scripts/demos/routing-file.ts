// Edits of the routing file that the demos of m2 and later make, as an operator would: in place, with an editor's
// rename, half-written, or wrong.

import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { DemoContext } from "../demo.ts";

/** The part of a routing file that the demos change. */
export interface RoutingFile {
  version: string;
  defaultPlacement: string;
  routingTable: Record<string, string>;
  placements: Record<string, { kind: string; url: string; [setting: string]: unknown }>;
}

/** Changes the file and writes it over itself, as `vi` with a plain write or `cat >` does. */
export function editFile(demo: DemoContext, words: string, change: (file: RoutingFile) => void): void {
  demo.act(`edit routing.json: ${words}`);
  writeFileSync(demo.routingFile, changed(demo, change));
}

/** Writes the change beside the file and renames it over the file, as most editors do. */
export function replaceFile(demo: DemoContext, words: string, change: (file: RoutingFile) => void): void {
  demo.act(`rename a new file over routing.json: ${words}`);
  const beside = `${demo.routingFile}.new`;
  writeFileSync(beside, changed(demo, change));
  renameSync(beside, demo.routingFile);
}

/** Cuts the file in half, as a full disk or a crashed editor does, and returns what it was. */
export function cutFile(demo: DemoContext): string {
  demo.act("cut routing.json in half");
  const whole = readFileSync(demo.routingFile, "utf8");
  writeFileSync(demo.routingFile, whole.slice(0, whole.length / 2));
  return whole;
}

function changed(demo: DemoContext, change: (file: RoutingFile) => void): string {
  const file = JSON.parse(readFileSync(demo.routingFile, "utf8")) as RoutingFile;
  change(file);
  return `${JSON.stringify(file, null, 2)}\n`;
}
