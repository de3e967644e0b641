// The stack in containers, shown: built, started, asked, and stopped in the middle of a response. It needs Docker, or Podman behind
// Docker's socket.

import { once } from "node:events";
import { BrokenPromiseError, UsageError } from "../../scripts/command-line.ts";
import type { Topic } from "../topic.ts";
import { ContainerStack, engineMissing, findCompose } from "./bring-up.ts";

const project = "cell-routing-demo";

export const topic: Topic = {
  title: "the same stack in containers: docker compose up --build",
  engines: [],
  missing: () => (findCompose() === undefined ? engineMissing : undefined),
  run: async ({ tell, signal, stays }) => {
    const compose = findCompose();
    if (compose === undefined) throw new UsageError(engineMissing);
    const stepCount = stays ? 2 : 4;
    const beginStep = (number: number, title: string) => {
      signal.throwIfAborted();
      tell(`${number === 1 ? "" : "\n"}${number}/${stepCount} ${title}`);
    };
    await using stack = new ContainerStack(compose, project);
    beginStep(1, "m4's stack is built and started; the first time takes a minute or more");
    tell(`  > ${compose.join(" ")} up --build --detach`);
    await stack.up();
    beginStep(2, "A container on the same networks asks it");
    tell(`  > ${compose.join(" ")} --profile test run --rm test`);
    const { ok, output } = await stack.test();
    for (const line of output.split("\n")) if (/^(ok|FAIL) /.test(line)) tell(`  < ${line}`);
    if (!ok) throw new BrokenPromiseError(`the stack in containers breaks a promise:\n${output}`);
    const asked = output.match(/^ok /gm)?.length ?? 0;
    if (stays) {
      tell(`\nAll ${stepCount} steps as promised.`);
      tell("\nThe stack stays up until Ctrl-C, with the router on 127.0.0.1:8080. Try this:");
      tell("  curl -i -H 'X-Routing-Key: acme' http://127.0.0.1:8080/");
      tell(`  ${compose.join(" ")} -p ${project} stop tier1    # acme is served by tier2`);
      if (!signal.aborted) await once(signal, "abort");
      return { asked };
    }
    beginStep(3, "The router may do little");
    throwFault(await stack.confinementFault());
    tell("  It runs as user 1000, without capabilities, on a root that it cannot write.");
    beginStep(4, "The router is stopped in the middle of a response");
    throwFault(await stack.drainFault());
    tell("  The response arrived whole.");
    tell(`\nAll ${stepCount} steps as promised.`);
    return { asked };
  },
};

function throwFault(fault: string | undefined): void {
  if (fault !== undefined) throw new BrokenPromiseError(fault);
}
