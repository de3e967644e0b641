// What every smuggling case asserts: not what the router answered, but what the cell saw.

import { expect } from "vitest";
import type { Scene } from "../scenes.ts";
import type { Contract } from "./contract.ts";

/** Nothing behind the attack was taken for a request, and no cell took the attack for a whole one. */
export async function expectNothingThrough(contract: Contract, scene: Scene): Promise<void> {
  await contract.settle();
  expect(scene.pathsSeen.filter((path) => path.includes("smuggled"))).toEqual([]);
  const whole = scene.seen.filter((seen) => seen.message?.ending === "complete");
  expect(whole.map((seen) => `${seen.method} ${seen.target} with ${seen.message?.bodyBytes} bytes`)).toEqual(
    [],
  );
}
