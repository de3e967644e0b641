import type { BenchOptions } from "./options.ts";

export async function benchWorkers(_options: BenchOptions): Promise<number> {
  throw new Error("not written yet");
}
