// What stands in for Node in the page, as far as the exercises use it. `externals.ts` has the names.

import { Buffer } from "buffer/";
import events from "events/";
import { createCustomEqual } from "fast-equals";
import { format, inspect } from "node-inspect-extracted";
import type { External } from "./externals.ts";

/** As Node compares: -0 is not 0, and of errors what a reader sees of them. */
const isDeepStrictEqual = createCustomEqual({
  createCustomConfig: () => ({
    areNumbersEqual: Object.is,
    areErrorsEqual: (a: Error, b: Error) => a.name === b.name && a.message === b.message,
  }),
});

const channel = new MessageChannel();
const due = new Map<number, () => void>();
let lastId = 0;
channel.port1.onmessage = ({ data }: MessageEvent<number>) => {
  const task = due.get(data);
  due.delete(data);
  task?.();
};

/** After everything that is due now, and without the 4 ms that a browser adds to timers. */
function setImmediate(task: (...values: unknown[]) => void, ...values: unknown[]): number {
  lastId += 1;
  due.set(lastId, () => task(...values));
  channel.port2.postMessage(lastId);
  return lastId;
}

function clearImmediate(id: number): void {
  due.delete(id);
}

const timersPromises = {
  setImmediate: <T>(value?: T) => new Promise((resolve) => setImmediate(() => resolve(value))),
  setTimeout: <T>(ms: number, value?: T) => new Promise((resolve) => setTimeout(() => resolve(value), ms)),
};

const nodeEvents = {
  EventEmitter: events,
  once: events.once,
  getEventListeners: (emitter: { listeners: (name: string) => unknown[] }, name: string) =>
    emitter.listeners(name),
};

const loaders: Readonly<Record<Exclude<External, "vitest">, () => unknown>> = {
  // Most exercises do without, and it is larger than all else here.
  zod: () => import("zod"),
  "node:util": () => ({ inspect, format, isDeepStrictEqual }),
  "node:events": () => nodeEvents,
  "node:timers/promises": () => timersPromises,
  "node:buffer": () => ({ Buffer }),
};

export async function loadExternals(names: readonly string[]): Promise<ReadonlyMap<string, unknown>> {
  const wanted = names.filter((name) => name !== "vitest") as (keyof typeof loaders)[];
  return new Map(await Promise.all(wanted.map(async (name) => [name, await loaders[name]()] as const)));
}

/** Node's globals, for code that uses them without importing them. */
export function installGlobals(): void {
  Object.assign(globalThis, { Buffer, setImmediate, clearImmediate });
}

export { format };
