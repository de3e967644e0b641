// Gives placements of a stack's table settings of their own, for steps that show one protection at a time.

import type { DemoContext } from "../demo.ts";
import { editFile, type RoutingFile } from "./routing-file.ts";

/** Everything else stays unprotected. Resolves when the first router uses the table. */
export async function protect(
  demo: DemoContext,
  words: string,
  settings: Readonly<Record<string, object>>,
  rest: Partial<Record<string, unknown>> = {},
): Promise<void> {
  const version = "2.0.0";
  editFile(demo, words, (file: RoutingFile) => {
    for (const [name, each] of Object.entries(settings)) Object.assign(file.placements[name] ?? {}, each);
    Object.assign(file, rest, { version });
  });
  await demo.factBecomes("/debug/config", ["version"], { version: /^2\.0\.0$/ });
}
