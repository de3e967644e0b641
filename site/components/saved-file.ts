// What this project's own commands have saved for the site, in data/.

import { existsSync, readFileSync } from "node:fs";
import type { Saved } from "./saved-tables.ts";

/** Undefined where nobody has saved it. `name` is that of the file without its ending. */
export function readSaved(name: string): Saved {
  const file = new URL(`../data/${name}.json`, import.meta.url);
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;
}
