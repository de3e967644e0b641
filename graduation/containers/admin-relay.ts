// Carries bytes from the network of compose.yaml to the router's admin port, which listens on loopback whatever HOST says.
// It is a process of its own, so that nothing here can harm the traffic. ADMIN_RELAY is the router's name on the network that
// it listens on: the cells are on another one, and what the admin port shows is not for them.
//
// It leaves the check of `Host` and `Origin` to the admin port, whose requests it passes on unread.

import { connect, createServer } from "node:net";
import { pipeline } from "node:stream";

const adminPort = 8082;
const relayPort = 8092;

const relay = createServer((client) => {
  const admin = connect(adminPort, "127.0.0.1");
  // Either end that breaks takes the other with it; there is nobody to tell.
  pipeline(client, admin, () => {});
  pipeline(admin, client, () => {});
});
// As many as the admin port keeps.
relay.maxConnections = 128;
relay.listen(relayPort, process.env["ADMIN_RELAY"]);
