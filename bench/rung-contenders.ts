// m5 without one of its steps, as a contender: a copy of m5 in the run's own folder, with the rung's patch applied.
import { join } from "node:path";
import type { Contender } from "./contender.ts";
import { writeRung } from "./rung-patch.ts";
import { noise, type Rung, rungs } from "./rungs.ts";
import { stageLike } from "./stages.ts";

const root = join(import.meta.dirname, "..");

function copyOfM5(name: string, rung: Rung | undefined, about: string): Contender {
  const started = (folder: string) =>
    stageLike(name, join(folder, "src", "main.ts"), about, { resilience: true });
  const start: Contender["start"] = (context) => {
    writeRung(rung, root, context.directory);
    return started(context.directory).start(context);
  };
  // What it needs to run is what m5 needs.
  return { ...started(join(root, "stages", "m5")), start };
}

export const rungContenders: readonly Contender[] = [
  ...rungs.map((rung) => copyOfM5(rung.name, rung, `m5 without this: ${rung.step}`)),
  copyOfM5(noise, undefined, "m5 once more, with nothing taken out"),
];
