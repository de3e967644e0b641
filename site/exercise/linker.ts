// Runs modules that are only text: the page has no files. One linker is one world; what its modules keep at their top level
// ends with it.

import { pageRoot } from "./bundle.ts";

type Evaluate = (exports: object, require: (name: string) => unknown, module: { exports: object }) => void;

export interface World {
  /** Path from the root → CommonJS. */
  readonly modules: ReadonlyMap<string, string>;
  /** Packages and Node modules by name. */
  readonly externals: ReadonlyMap<string, unknown>;
  /** Paths that stand for others: a stage's file → the learner's, as `npm run stage mN -- --mine` lays one over the other. */
  readonly redirects?: ReadonlyMap<string, string>;
}

export class Linker {
  readonly #world: World;
  readonly #loaded = new Map<string, { exports: object }>();

  constructor(world: World) {
    this.#world = world;
  }

  /**
   * What the module at `path` exports. It runs once.
   * @throws whatever the module throws; Error when it is missing.
   */
  load(path: string): Readonly<Record<string, unknown>> {
    const target = this.#world.redirects?.get(path) ?? path;
    const known = this.#loaded.get(target);
    if (known !== undefined) return known.exports as Record<string, unknown>;
    const code = this.#world.modules.get(target);
    if (code === undefined) throw new Error(`Cannot find ${target}: the page does not have this file`);
    const module = { exports: {} };
    // Before it runs: modules may import each other in a circle.
    this.#loaded.set(target, module);
    const evaluate = evaluated(`(function (exports, require, module) {${code}\n})`, target);
    evaluate(module.exports, (name) => this.#required(target, name), module);
    return module.exports as Record<string, unknown>;
  }

  #required(from: string, name: string): unknown {
    if (name.startsWith(".")) return this.load(resolvePath(from, name));
    if (this.#world.externals.has(name)) return this.#world.externals.get(name);
    throw new Error(`Cannot import "${name}": the page does not have it; your files in an editor can use it`);
  }
}

/** The name is what a stack shows. */
function evaluated(code: string, path: string): Evaluate {
  // biome-ignore lint/security/noGlobalEval: the learner's code is what is to run, in a worker that is ended when it hangs.
  const indirect = globalThis.eval;
  return indirect(`${code}\n//# sourceURL=${pageRoot}/${path}`) as Evaluate;
}

/** `./x.ts` as the file at `from` means it. */
export function resolvePath(from: string, specifier: string): string {
  const parts = from.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}
