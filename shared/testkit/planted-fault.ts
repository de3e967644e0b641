// Loaded into a router's process before its own code, with `--import`: puts faults into the source of modules as they are loaded. So a
// test meets the program that is started for real, with one line in it that throws.

import { registerHooks } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";

export interface PlantedFault {
  /** The module, by the end of its path, such as `/routing.ts`. */
  readonly module: string;
  /** Text that stands in it exactly once. */
  readonly before: string;
  /** Code to put in front of that text, such as `throw new Error("planted");`. */
  readonly code: string;
}

const variable = "PLANTED_FAULTS";

/** Environment variables that make a stage's process start with these faults. */
export function plantedFaults(faults: readonly PlantedFault[]): Record<string, string> {
  const self = pathToFileURL(fileURLToPath(import.meta.url)).href;
  return { [variable]: JSON.stringify(faults), NODE_OPTIONS: `--import=${self}` };
}

const faults: readonly PlantedFault[] = JSON.parse(process.env[variable] ?? "[]");

if (faults.length > 0) {
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      const here = faults.filter(({ module }) => url.endsWith(module));
      if (here.length === 0) return loaded;
      let source = String(loaded.source);
      for (const { module, before, code } of here) {
        if (source.split(before).length !== 2)
          throw new Error(
            `Cannot plant a fault in ${module}: ${JSON.stringify(before)} must stand there once`,
          );
        source = source.replace(before, () => `${code} ${before}`);
      }
      return { ...loaded, source };
    },
  });
}
