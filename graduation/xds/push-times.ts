// How long a moved key takes from `PATCH` to Envoy: each change is timed until a request is served by the new cell, while other
// clients send requests all the time.
//
//   npx tsx graduation/xds/push-times.ts --changes 1000 --clients 4
//
// Prints one line of figures. Exit codes: 0 every request was served, 1 a wrong flag or no Envoy, 2 some were not served.

import { runCommand, UsageError, wholeNumber } from "../../scripts/command-line.ts";
import { envoyMissing, envoyVersion } from "./envoy.ts";
import { PushedLab } from "./pushed-lab.ts";

const usage = `Usage: npx tsx graduation/xds/push-times.ts [flags]
  --changes N  how many, one after the other (100)
  --clients N  that send requests meanwhile (4)
  --help       this text`;

const options = { changes: { type: "string" }, clients: { type: "string" } } as const;

await runCommand({ name: "push-times", usage, options, flagsOnly: true }, async (values) => {
  if (envoyVersion() === undefined) throw new UsageError(envoyMissing);
  const changes = wholeNumber("--changes", values.changes ?? "100", 1, 100_000);
  const clientCount = wholeNumber("--clients", values.clients ?? "4", 1, 100);
  await using lab = await PushedLab.start();
  const load = { isOn: true, served: 0, failed: 0 };
  const clients = Array.from({ length: clientCount }, async () => {
    while (load.isOn) {
      const isServed = await lab.ask("acme").then(
        ({ status }) => status === 200,
        () => false,
      );
      if (isServed) load.served += 1;
      else load.failed += 1;
    }
  });

  const times: number[] = [];
  for (let i = 0; i < changes; i++) {
    const cell = i % 2 === 0 ? "tier2" : "tier1";
    const startedAtMs = performance.now();
    await lab.move("acme", cell);
    while ((await lab.ask("acme")).headers["x-cell"] !== cell);
    times.push(performance.now() - startedAtMs);
  }
  load.isOn = false;
  await Promise.all(clients);

  times.sort((a, b) => a - b);
  const at = (share: number) =>
    (times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0).toFixed(1);
  console.log(
    `${changes} changes: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms; requests meanwhile: ${load.served} served, ${load.failed} not`,
  );
  return load.failed === 0 ? 0 : 2;
});
