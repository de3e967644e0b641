import type { BenchOptions } from "./options.ts";

export async function benchBodies(_options: BenchOptions): Promise<number> {
  throw new Error("not written yet");
}
