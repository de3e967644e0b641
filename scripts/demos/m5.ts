// What m5 promises, shown: it reads every byte with a parser of its own, strictly, however the bytes arrive; several
// workers are one router, whatever becomes of each; and it keeps every promise of m4, whose steps follow as they are.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../../shared/testkit/eventually.ts";
import { withDescendants } from "../../shared/testkit/process-by-port.ts";
import { type RouterProcess, startRouter } from "../../shared/testkit/router-process.ts";
import type { Demo, DemoContext } from "../demo.ts";
import { demo as m4 } from "./m4.ts";
import { sendPieces } from "./raw-pieces.ts";

/** Room for a busy machine: a replaced worker gives idle clients three seconds. */
const patientMs = 60_000;

const head = "Host: cells\r\nX-Routing-Key: acme\r\n";

export const demo: Demo = {
  steps: [
    {
      title: "A message that two parsers would read differently",
      why: "Content-Length or chunked? Whoever guesses can be made to see a request that the next one does not.",
      run: async (demo) => {
        const before = await demo.cell("tier1").requests();
        await sendPieces(
          demo,
          "a POST with both Content-Length and Transfer-Encoding",
          [`POST /pay HTTP/1.1\r\n${head}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG`],
          [400],
        );
        const after = await demo.cell("tier1").requests();
        demo.check(after === before ? undefined : "the cell saw a request that should have been refused");
      },
    },
    {
      title: "A request that arrives byte by byte",
      why: "The parser keeps its place between two bytes, so that a network's cuts mean nothing.",
      run: async (demo) => {
        const request = `GET /pay HTTP/1.1\r\n${head}\r\n`;
        await sendPieces(demo, `a GET in ${request.length} pieces of one byte`, [...request], [200]);
      },
    },
    {
      title: "Two requests in one packet",
      why: "Both are found in the same bytes, and answered in their order.",
      run: async (demo) => {
        const request = `GET /pay HTTP/1.1\r\n${head}\r\n`;
        await sendPieces(demo, "two GETs in one write", [request + request], [200, 200]);
      },
    },
    {
      title: "A worker is killed",
      why: "A supervisor starts another one. The other worker has gone on meanwhile: no request needs a particular one.",
      run: (demo) => withWorkers(demo, killWorker),
    },
    {
      title: "All workers are replaced while requests come",
      why: "A new worker accepts before an old one stops, and the last response on a kept connection says that it is the last.",
      run: (demo) => withWorkers(demo, roll),
    },
    ...m4.steps,
  ],
  tryThis: m4.tryThis,
};

/** Runs `step` with a second router: one of two workers, over the same cells. */
async function withWorkers(
  demo: DemoContext,
  step: (demo: DemoContext, router: RouterProcess) => Promise<void>,
): Promise<void> {
  demo.act("start a router of two workers, with WORKERS=2, beside the first router");
  await using router = await startRouter({
    stage: "m5",
    main: join(demo.stack.options.stageFolder, "src", "main.ts"),
    routing: JSON.parse(readFileSync(demo.routingFile, "utf8")),
    env: { WORKERS: "2", LOG_LEVEL: "info" },
    readyDeadlineMs: patientMs,
  });
  await step(demo, router);
  const { code } = await router.stop("SIGTERM", patientMs);
  demo.check(code === 0 ? undefined : `the router ended with code ${code}`);
}

async function killWorker(demo: DemoContext, router: RouterProcess): Promise<void> {
  const [first = 0] = workersOf(router);
  demo.act("kill one worker (SIGKILL)");
  process.kill(first, "SIGKILL");
  await router.waitForLog(({ event }) => event === "worker-died", patientMs);
  const statuses = await Promise.all(Array.from({ length: 20 }, () => statusOf(router)));
  const failed = statuses.filter((status) => status !== 200).length;
  demo.check(failed === 0 ? undefined : `${failed} of 20 requests failed after a worker was killed`);
  await router.waitForLog(({ event }) => event === "worker-started", patientMs);
  const now = workersOf(router).length;
  demo.check(now === 2 ? undefined : `expected 2 workers again, found ${now}`);
  demo.act("20 requests were answered without it; now there are 2 workers again");
}

async function roll(demo: DemoContext, router: RouterProcess): Promise<void> {
  const before = workersOf(router);
  const failures: unknown[] = [];
  let responses = 0;
  let rolled = false;
  const client = async (): Promise<void> => {
    while (!rolled) {
      const status = await statusOf(router).catch(String);
      if (status === 200) responses += 1;
      else failures.push(status);
    }
  };
  const clients = [client(), client(), client(), client()];
  try {
    await eventually(() => responses > 20, { what: "the clients are served", deadlineMs: patientMs });
    demo.act("SIGHUP, with four clients that ask without a pause");
    router.signal("SIGHUP");
    await router.waitForLog(({ event }) => event === "workers-replaced", patientMs);
  } finally {
    rolled = true;
    await Promise.all(clients);
  }
  demo.check(failures.length === 0 ? undefined : `${failures.length} requests failed: ${failures[0]}`);
  const kept = workersOf(router).filter((pid) => before.includes(pid)).length;
  demo.check(kept === 0 ? undefined : `${kept} of the old workers are still there`);
  demo.act("both workers are new, and not a request failed");
}

function workersOf({ pid }: RouterProcess): number[] {
  return withDescendants(pid).filter((each) => each !== pid);
}

async function statusOf({ url }: RouterProcess): Promise<number> {
  const response = await fetch(`${url}/pay`, { headers: { "X-Routing-Key": "acme" } });
  await response.arrayBuffer();
  return response.status;
}
