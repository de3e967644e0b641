// Carries bytes from the network of compose.yaml to the router's admin port, which listens on loopback whatever HOST says.
// It runs in the router's network namespace, where that loopback is. HOST is the name of the one network that it listens on:
// the cells are on the other one, and what the admin port shows is not for them.
//
// It leaves the check of `Host` and `Origin` to the admin port, whose requests it passes on unread.

import { connect, createServer } from "node:net";
import { pipeline } from "node:stream";

const adminPort = 8082;
const relay = createServer((client) => {
  const admin = connect(adminPort, "127.0.0.1");
  // Either end that breaks takes the other with it; there is nobody to tell.
  pipeline(client, admin, () => {});
  pipeline(admin, client, () => {});
});
// As many as the admin port keeps.
relay.maxConnections = 128;
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => process.exit(0));
relay.listen(Number(process.env["PORT"] ?? 8092), process.env["HOST"] ?? "127.0.0.1");
