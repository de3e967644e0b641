// Breaks an etcd cluster and the control planes on it, again and again, and checks after each round that nothing that was
// acknowledged is lost.
//
//   npx tsx graduation/etcd/faults/run.ts --rounds 20
//   npx tsx graduation/etcd/faults/run.ts --rounds 5 --only leader-killed --json
//
// Exit codes: 0 every promise held in every round, 1 wrong arguments, 2 a promise was broken.

import { runCommand, UsageError, wholeNumber } from "../../../scripts/command-line.ts";
import { engineVersion, missingEngine } from "../../topic.ts";
import { allFaults } from "./all-faults.ts";
import { textOf } from "./report.ts";
import { runFaults } from "./run-faults.ts";

const usage = `Usage: npx tsx graduation/etcd/faults/run.ts [flags]
  --rounds N   rounds of each fault, 1 to 1000 (1)
  --only NAME  one fault, or several with commas between: ${allFaults.map(({ name }) => name).join(", ")}
  --seed N     decides what clients do, and which node or control plane is hit (1)
  --json       the report as one JSON object
  --help       this text`;

const options = {
  rounds: { type: "string" },
  only: { type: "string" },
  seed: { type: "string" },
  json: { type: "boolean" },
} as const;

await runCommand({ name: "faults", usage, options, flagsOnly: true }, async (values) => {
  const missing = missingEngine(["etcd"]);
  if (missing !== undefined) throw new UsageError(missing);
  const stop = new AbortController();
  // The first ends the run after the round under way, the second at once. No child outlives either.
  const end = (): void => (stop.signal.aborted ? process.exit(2) : stop.abort());
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, end);
  const report = await runFaults({
    faults: chosen(values.only),
    rounds: wholeNumber("--rounds", values.rounds ?? "1", 1, 1_000),
    seed: wholeNumber("--seed", values.seed ?? "1", 0, 2 ** 31),
    etcd: engineVersion("etcd"),
    tell: (line) => void process.stderr.write(`${line}\n`),
    signal: stop.signal,
  });
  console.log(values.json === true ? JSON.stringify(report) : textOf(report));
  return report.broken.length === 0 ? 0 : 2;
});

function chosen(only: string | undefined): typeof allFaults {
  if (only === undefined) return allFaults;
  return only.split(",").map((name) => {
    const fault = allFaults.find((each) => each.name === name);
    if (fault !== undefined) return fault;
    throw new UsageError(`--only takes ${allFaults.map((each) => each.name).join(", ")}; got "${name}"`);
  });
}
