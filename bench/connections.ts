import type { BenchOptions } from "./options.ts";

export async function benchConnections(_options: BenchOptions): Promise<number> {
  throw new Error("not written yet");
}
