// Cells that fail for real, and the error that the router's HTTP client makes of it.

import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { Pool } from "undici";

/** Asks a cell on a port of its own, whose connections are given to `onConnection`. Resolves with the error. */
export async function errorOf(onConnection: (socket: Socket) => void): Promise<Error> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    onConnection(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    return await failureAt((server.address() as AddressInfo).port);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  }
}

/** Asks a port on which nobody listens any more. */
export async function errorOfNobody(): Promise<Error> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return failureAt(port);
}

async function failureAt(port: number): Promise<Error> {
  const pool = new Pool(`http://127.0.0.1:${port}`, { headersTimeout: 30 });
  try {
    const response = await pool.request({ path: "/", method: "GET" });
    throw new Error(`The cell answered with ${response.statusCode}`);
  } catch (error) {
    return error as Error;
  } finally {
    await pool.destroy();
  }
}
