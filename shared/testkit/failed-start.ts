// A start that must fail: what the process said last, and how it ended.

import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { type ExitStatus, type RouterOptions, spawnRouter } from "./router-process.ts";

export interface FailedStart extends ExitStatus {
  readonly stderr: string;
}

/** Starts a router, or another `main`, and waits for its end. */
export async function failedStart(options: RouterOptions): Promise<FailedStart> {
  await using router = await spawnRouter(options);
  const exit = await router.exited();
  return { ...exit, stderr: router.stderr() };
}

/** A port of loopback on which somebody listens. */
export async function busyPort(): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, "close");
    },
  };
}
