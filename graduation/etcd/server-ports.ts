// Ports for servers that a test kills and starts again on the same port.

import { randomInt } from "node:crypto";
import { createServer, type Server } from "node:net";

/**
 * Free ports below those that the kernel gives out by itself (from 32768 on Linux). A node that was killed must find its
 * port free again, and a port of the kernel's choice may by then belong to anybody's connection.
 */
export async function serverPorts(count: number): Promise<number[]> {
  const held: Server[] = [];
  const ports: number[] = [];
  while (ports.length < count) {
    const port = randomInt(20_000, 32_768);
    const server = await listening(port);
    if (server === undefined) continue;
    held.push(server);
    ports.push(port);
  }
  // Held until all are found, so that none is found twice.
  await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function listening(port: number): Promise<Server | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(undefined));
    server.listen({ host: "127.0.0.1", port }, () => resolve(server));
  });
}
