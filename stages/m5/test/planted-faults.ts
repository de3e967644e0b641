// Plants a throw into any step that a request takes: every function that the request path calls is wrapped once, and counts.
// A run without a fault lists the steps; then each of them throws in a run of its own.

export class PlantedFault extends Error {
  override readonly name = "PlantedFault";
}

class Steps {
  /** Names of the steps taken since `begin`, in order. */
  readonly taken: string[] = [];
  #counts = false;
  #throwsAt: number | string = -1;

  /** From now on steps count. The one with this number throws, or the first one of this name. */
  begin(throwsAt: number | string = -1): void {
    this.taken.length = 0;
    this.#throwsAt = throwsAt;
    this.#counts = true;
  }

  end(): void {
    this.#counts = false;
  }

  take(name: string): void {
    if (!this.#counts) return;
    const at = this.taken.push(name) - 1;
    const isFirst = name === this.#throwsAt && this.taken.indexOf(name) === at;
    if (at === this.#throwsAt || isFirst) throw new PlantedFault(`${name} (step ${at})`);
  }
}

export const steps = new Steps();

type AnyFunction = (this: unknown, ...args: never[]) => unknown;

/** `call`, as a step. */
export function asStep<F extends AnyFunction>(name: string, call: F): F {
  return function (this: unknown, ...args: never[]) {
    steps.take(name);
    return call.apply(this, args);
  } as F;
}

/** A module whose functions are steps; its classes and constants stay as they are. */
export function functionsAsSteps<M extends object>(module: M): M {
  const isFunction = (value: unknown): value is AnyFunction =>
    typeof value === "function" && !/^class\b/.test(Function.prototype.toString.call(value));
  return Object.fromEntries(
    Object.entries(module).map(([name, value]) => [name, isFunction(value) ? asStep(name, value) : value]),
  ) as M;
}

/** Makes steps of the methods of a class that are named. */
export function methodsAsSteps<C extends { readonly name: string; readonly prototype: object }>(
  of: C,
  ...names: (keyof C["prototype"] & string)[]
): void {
  const prototype = of.prototype as Record<string, AnyFunction>;
  for (const name of names) {
    const method = prototype[name];
    if (method === undefined) throw new Error(`${of.name} has no method ${name}`);
    prototype[name] = asStep(`${of.name}.${name}`, method);
  }
}
