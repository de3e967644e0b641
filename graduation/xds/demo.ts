// The table for Envoy, shown: what the export is made of, what Envoy's schema says of it, and, where Envoy is installed, what it
// does with it. Neither Go nor Envoy is needed to see the export.

import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BrokenPromiseError } from "../../scripts/command-line.ts";
import { projectRoot } from "../../scripts/stages.ts";
import { eventually } from "../../shared/testkit/eventually.ts";
import type { Stage, Topic } from "../topic.ts";
import { buildSchemaCheck, envoyMissing, envoyVersion } from "./envoy.ts";
import { envoyConfigFromJson } from "./envoy-config.ts";
import { EnvoyLab } from "./lab.ts";
import { PushedLab } from "./pushed-lab.ts";

const file = "stages/m4/routing.resilience.json";

export const topic: Topic = {
  title: "m4's table as Envoy's configuration, held to Envoy's schema and to Envoy",
  engines: [],
  run: async (stage) => {
    const config = envoyConfigFromJson(readFileSync(join(projectRoot, file), "utf8"));
    const bytes = JSON.stringify(config).length;
    stage.tell(`${file} is ${bytes} bytes of Envoy configuration. To see it:`);
    stage.tell(`  npx tsx graduation/xds/envoy-config.ts ${file}`);
    const schema = checkSchema(config, stage);
    const version = envoyVersion();
    if (version === undefined) {
      stage.tell(`Envoy itself is skipped: ${envoyMissing}`);
      return { bytes, schema, envoy: "skipped" };
    }
    await showEnvoy(version, stage);
    await showPush(stage);
    return { bytes, schema, envoy: version };
  },
};

/** What the check said, in a word for `--json`. */
function checkSchema(config: object, { tell }: Stage): string {
  tell("Asking Envoy's schema; the first time, Go compiles it.");
  const folder = mkdtempSync(join(tmpdir(), "schema-check-"));
  try {
    const built = buildSchemaCheck(folder);
    if (built.missing !== undefined) {
      tell(`The schema check is skipped: ${built.missing}`);
      return "skipped";
    }
    const report = built.check(config);
    if ("faults" in report)
      throw new BrokenPromiseError(`Envoy's schema refuses the export:\n${report.faults}`);
    const { version, messages, types } = report;
    tell(
      `The schema of ${version} takes it: ${messages} messages of ${types.length} types, extensions included.`,
    );
    const wrong = built.check({ ...config, admin: { adress: "127.0.0.1" } });
    if (!("faults" in wrong))
      throw new BrokenPromiseError("the schema check takes a field that does not exist");
    tell(`With a wrong field it refuses: ${wrong.faults.trim()}`);
    return version;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function showEnvoy(version: string, { tell }: Stage): Promise<void> {
  const health = { path: "/health", intervalMs: 200, timeoutMs: 200, rise: 1, fall: 1 };
  const retries = { maxRetries: 1, baseMs: 1, capMs: 5 };
  await using lab = await EnvoyLab.start({
    placements: { visa: { health }, tier1: { health, retries, fallback: ["tier2"] } },
  });
  tell(`Envoy ${version} runs with it on ${lab.url}, in front of four demo cells.`);
  for (const [key, cell] of [
    ["visa", "visa"],
    ["acme", "tier1"],
    ["someone-new", "tier3"],
  ] as const) {
    const { headers } = await lab.ask(key);
    tell(`${key}: X-Routed-To ${headers["x-routed-to"]}, X-Route-Reason ${headers["x-route-reason"]}`);
    if (headers["x-routed-to"] !== cell) throw new BrokenPromiseError(`${key} must be served by ${cell}`);
  }
  await lab.cell("tier1").close();
  const { headers } = await lab.ask("acme");
  tell(`tier1 is stopped. acme: X-Routed-To ${headers["x-routed-to"]}`);
  if (headers["x-routed-to"] !== "tier2") throw new BrokenPromiseError("acme must be served by tier2");
  await lab.cell("visa").close();
  await eventually(async () => (await lab.ask("visa")).status === 503, { what: "visa is refused with 503" });
  tell("visa is stopped. Its tenant gets 503: nobody else's cell serves in its stead.");
}

async function showPush({ tell, stays, signal }: Stage): Promise<void> {
  await using lab = await PushedLab.start();
  tell("Another Envoy starts, and our control plane with an agent beside it that speaks m3's protocol.");
  const revision = await lab.move("acme", "tier2");
  await lab.acked(revision);
  const { headers } = await lab.ask("acme");
  tell(`acme moves to tier2: Envoy has acked revision ${revision}, and serves it by ${headers["x-cell"]}`);
  if (headers["x-cell"] !== "tier2") throw new BrokenPromiseError("acme must be served by tier2");
  if (!stays) return;
  tell("Both stay up until Ctrl-C. Ask Envoy and the control plane:");
  tell(`  curl -i -H 'X-Routing-Key: acme' ${lab.url}/pay`);
  tell(`  npm run ctl routers -- --url ${lab.controlPlane.url}`);
  if (!signal.aborted) await once(signal, "abort");
}
