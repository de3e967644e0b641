// Where HAProxy's files and sockets are, for the agent that starts it and for the next one, which finds it by them.

import { join } from "node:path";

export interface MasterFiles {
  readonly config: string;
  /** The master's own socket. */
  readonly masterSocket: string;
  /** That of the Runtime API: the configuration names it. */
  readonly runtimeSocket: string;
  /** What HAProxy prints, for an operator and for the words of a refusal. */
  readonly output: string;
}

export function filesIn(folder: string): MasterFiles {
  return {
    config: join(folder, "haproxy.cfg"),
    masterSocket: join(folder, "master.sock"),
    runtimeSocket: join(folder, "runtime.sock"),
    output: join(folder, "haproxy.out"),
  };
}
