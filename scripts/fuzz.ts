// Compares m5's HTTP/1.1 parser with Node's on damaged messages: it may refuse more, but never frame a message differently.
//
//   npm run fuzz                                     200,000 messages
//   npm run fuzz -- --messages 1000000 --seed 7      as many, from another start
//   npm run fuzz -- --minutes 5                      for a time instead
//   npm run fuzz -- --resume                         where the last run with this seed stopped
//   npm run fuzz -- --case 1234                      shows one case, and what each parser makes of it
//
// Exit codes: 0 no disagreement, 1 a disagreement or a wrong flag, 2 the fuzzer itself broke.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeCase } from "../shared/fuzz/messages.ts";
import { Random } from "../shared/fuzz/random.ts";
import { smallest } from "../shared/fuzz/shrink.ts";
import { runCase } from "../stages/m5/test/http1-fuzz-case.ts";
import { runCommand, UsageError, type Values, wholeNumber } from "./command-line.ts";
import { projectRoot } from "./stages.ts";

const usage = `Usage: npm run fuzz [-- flags]
  --messages N   how many messages to try (default 200000)
  --minutes N    how long to try instead
  --seed N       start of the series (default 1)
  --resume       go on where the last run with this seed stopped
  --case N       show one case of the series
  --json         one JSON object at the end
  --help         this text`;

const options = {
  messages: { type: "string" },
  minutes: { type: "string" },
  seed: { type: "string", default: "1" },
  resume: { type: "boolean" },
  case: { type: "string" },
  json: { type: "boolean" },
} as const;

interface Totals {
  /** Number of the next case. */
  next: number;
  messages: number;
  framed: number;
  refusedStreams: number;
  disagreements: number;
}

const casesBetweenChecks = 1_000;
/** One fault shows itself in many cases: enough to see whether there are several. */
const faultsShown = 5;

async function main(values: Values<typeof options>): Promise<number> {
  const seed = wholeNumber("--seed", values.seed, 0, 2 ** 32 - 1);
  if (values.case === undefined) return fuzz(seed, values);
  show(seed, wholeNumber("--case", values.case, 0, 2 ** 32 - 1));
  return 0;
}

function fuzz(seed: number, values: Values<typeof options>): number {
  if (values.minutes !== undefined && values.messages !== undefined)
    throw new UsageError("--messages and --minutes both say when to end: give one of them");
  const endless = Number.POSITIVE_INFINITY;
  const limit =
    values.minutes === undefined
      ? wholeNumber("--messages", values.messages ?? "200000", 1, 1_000_000_000)
      : endless;
  const minutes =
    values.minutes === undefined ? endless : wholeNumber("--minutes", values.minutes, 1, 10_000);
  const totals = values.resume === true ? stored(seed) : startOf();
  const before = totals.messages;
  const startedAt = performance.now();
  const deadline = startedAt + minutes * 60_000;
  while (
    totals.messages - before < limit &&
    performance.now() < deadline &&
    totals.disagreements < faultsShown
  ) {
    for (let i = 0; i < casesBetweenChecks && totals.messages - before < limit; i++) tryOne(seed, totals);
    store(seed, totals);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const perSecond = Math.round((totals.messages - before) / seconds);
  if (values.json === true) console.log(JSON.stringify({ seed, ...totals, perSecond }));
  else {
    const { messages, framed, refusedStreams, disagreements, next } = totals;
    console.log(
      `seed ${seed}: ${messages} messages in ${next} streams, ${framed} framed alike, ${refusedStreams} streams refused, ` +
        `${disagreements} disagreements (${perSecond} messages/s)`,
    );
  }
  return totals.disagreements === 0 ? 0 : 1;
}

function tryOne(seed: number, totals: Totals): void {
  const number = totals.next++;
  const each = makeCase(new Random(seed, number));
  const { fault, framed, refused } = runCase(each);
  totals.messages += each.messages;
  totals.framed += framed;
  if (refused) totals.refusedStreams++;
  if (fault === undefined) return;
  totals.disagreements++;
  const small = smallest(each, (candidate) => runCase(candidate).fault !== undefined);
  console.error(`case ${number}: ${runCase(small).fault}\n  ${JSON.stringify(small)}`);
}

function show(seed: number, number: number): void {
  const each = makeCase(new Random(seed, number));
  console.log(JSON.stringify(each, undefined, 2));
  console.log(JSON.stringify(runCase(each), undefined, 2));
}

function startOf(): Totals {
  return { next: 0, messages: 0, framed: 0, refusedStreams: 0, disagreements: 0 };
}

function stateFile(seed: number): string {
  return join(projectRoot, ".state", "fuzz", `seed-${seed}.json`);
}

function stored(seed: number): Totals {
  const file = stateFile(seed);
  if (!existsSync(file)) return startOf();
  // Disagreements were shown when they were found; only new ones count.
  return { ...startOf(), ...(JSON.parse(readFileSync(file, "utf8")) as Totals), disagreements: 0 };
}

function store(seed: number, totals: Totals): void {
  const file = stateFile(seed);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, JSON.stringify(totals));
}

await runCommand({ name: "fuzz", usage, options, flagsOnly: true }, main);
