// A child process of the fleet bench: connects its share of the clients and reports to its parent.
import { Clients, type ClientsJob } from "./router-clients.ts";

// The parent is gone, however it went: nobody wants to know.
process.once("disconnect", () => process.exit(0));
const job = JSON.parse(process.argv[2] ?? "") as ClientsJob;
const clients = await Clients.load(job, (report) => {
  // A parent that is gone is told by `disconnect` above.
  if (process.connected) process.send?.(report, () => {});
});
// Fifty at a time: a thousand that start together, all in this one process, would keep each other waiting.
const atOnce = 50;
for (let at = 0; at < job.count; at += atOnce) {
  const batch = Array.from({ length: Math.min(atOnce, job.count - at) }, (_, index) =>
    clients.connect(job.first + at + index),
  );
  await Promise.all(batch);
}
