// The process that `decoding-cost.ts` measures: decodes the file of its second argument with the module of its first.

import { readFileSync } from "node:fs";
import type { Decoder, DecodingCost } from "./decoding-cost.ts";

const [decoder = "", file = ""] = process.argv.slice(2);
const { decodeTable } = (await import(decoder)) as Decoder;
const bytes = readFileSync(file);
globalThis.gc?.();
const before = process.memoryUsage().rss;
const { ok, faults = [] } = decodeTable(bytes);
const growthBytes = Math.max(0, process.resourceUsage().maxRSS * 1024 - before);
process.stdout.write(JSON.stringify({ ok, faults, growthBytes } satisfies DecodingCost));
