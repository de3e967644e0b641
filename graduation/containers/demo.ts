// The stack in containers, shown: built, started, asked, and stopped in the middle of a response. It needs Docker, or Podman behind
// Docker's socket, and says so where neither responds.

import { once } from "node:events";
import { BrokenPromiseError } from "../../scripts/command-line.ts";
import type { Topic } from "../topic.ts";
import { ContainerStack, findCompose } from "./bring-up.ts";

export const topic: Topic = {
  title: "The same stack in containers: docker compose up --build",
  engines: [],
  run: async ({ tell, signal, stays }) => {
    const compose = await findCompose();
    if (compose === undefined) {
      const skipped = "no container engine with Compose responds to `docker info`";
      tell(`Skipped: ${skipped}. graduation/containers/README.md shows how to get one.`);
      return { skipped };
    }
    tell(`Building and starting with ${compose.join(" ")}; the first time takes a minute or more.`);
    await using stack = new ContainerStack(compose, "cell-routing-demo");
    await stack.up();
    const { ok, output } = await stack.test();
    for (const line of output.split("\n")) if (/^(ok|FAIL) /.test(line)) tell(line);
    if (!ok) throw new BrokenPromiseError(`the stack in containers breaks a promise:\n${output}`);
    const asked = output.match(/^ok /gm)?.length ?? 0;
    if (stays) {
      tell("The stack stays up on 127.0.0.1:8080, :8081 and :8082 until Ctrl-C.");
      if (!signal.aborted) await once(signal, "abort");
      return { asked };
    }
    const fault = (await stack.confinementFault()) ?? (await stack.drainFault());
    if (fault !== undefined) throw new BrokenPromiseError(fault);
    tell("ok    the router runs as user 1000, without capabilities, on a root that it cannot write");
    tell("ok    docker compose stop lets the response under way finish");
    return { asked };
  },
};
