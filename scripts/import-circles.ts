// Finds circles of imports. Type-only ones count too: they run, but no reader can begin at either end of them.

import { posix } from "node:path";
import type { SourceFacts } from "./source-imports.ts";

/** Each circle as its files in the order of their imports, the first by name first; one circle once. */
export function importCircles(facts: ReadonlyMap<string, Pick<SourceFacts, "imports">>): string[][] {
  const circles = new Map<string, string[]>();
  const done = new Set<string>();
  const way: string[] = [];
  const visit = (file: string): void => {
    const at = way.indexOf(file);
    if (at !== -1) {
      const circle = fromItsFirst(way.slice(at));
      circles.set(circle.join(), circle);
      return;
    }
    if (done.has(file)) return;
    way.push(file);
    for (const { specifier } of facts.get(file)?.imports ?? []) {
      const target = posix.join(posix.dirname(file), specifier);
      if (specifier.startsWith(".") && facts.has(target)) visit(target);
    }
    way.pop();
    done.add(file);
  };
  for (const file of [...facts.keys()].sort()) visit(file);
  return [...circles.values()];
}

function fromItsFirst(circle: readonly string[]): string[] {
  const first = circle.reduce((least, file, at) => (file < (circle[least] ?? "") ? at : least), 0);
  return [...circle.slice(first), ...circle.slice(0, first)];
}
