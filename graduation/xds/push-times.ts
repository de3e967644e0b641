// How long a moved key takes from `PATCH` to Envoy: each change is timed until a request is served by the new cell, while other
// clients send requests all the time.
//
//   node graduation/xds/push-times.ts --changes 1000 --clients 4
//
// Prints one line of figures. Exit codes: 0 every request was served, 2 some were not.

import { parseArgs } from "node:util";
import { PushedLab } from "./pushed-lab.ts";

const { values } = parseArgs({ options: { changes: { type: "string" }, clients: { type: "string" } } });
const changes = Number(values.changes ?? 100);

await using lab = await PushedLab.start();
const load = { isOn: true, served: 0, failed: 0 };
const clients = Array.from({ length: Number(values.clients ?? 4) }, async () => {
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
process.exitCode = load.failed === 0 ? 0 : 2;
