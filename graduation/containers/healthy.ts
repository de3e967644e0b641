// The health check of a container: asks the one that it runs in, and ends with 0 or 1.
//
//   node graduation/containers/healthy.ts router | control-plane | cell

import { get } from "node:http";

/** What a role must answer, and to what. `undefined`: this stage has nothing there. */
function questionFor(role: string | undefined, stage: string) {
  const { HOST = "127.0.0.1", PORT } = process.env;
  switch (role) {
    case "router":
      // m1 has no admin port. It refuses a request without a key by itself, so a cell that is down is not its fault.
      if (stage === "m1") return { url: "http://127.0.0.1:8080/", status: 400 };
      return { url: "http://127.0.0.1:8082/readyz", status: 200 };
    case "control-plane":
      return stage < "m3" ? undefined : { url: `http://${HOST}:8081/healthz`, status: 200 };
    case "cell":
      return { url: `http://127.0.0.1:${PORT}/health`, status: 200 };
    default:
      console.error(`Name a role (router, control-plane or cell), not "${role}"`);
      process.exit(1);
  }
}

const question = questionFor(process.argv[2], process.env["STAGE"] ?? "m4");
if (question !== undefined) {
  const { url, status } = question;
  const signal = AbortSignal.timeout(2_000);
  get(url, { signal, agent: false }, (res) => {
    res.resume();
    if (res.statusCode !== status) fail(`expected ${status} of ${url}, got ${res.statusCode}`);
  }).on("error", ({ message }) => fail(`${url}: ${message}`));
}

function fail(why: string): void {
  console.error(why);
  process.exitCode = 1;
}
