// The table on Envoy, shown: what Envoy's schema says of the export, what Envoy does with it, and how our control plane pushes the
// next table. The schema check needs Go and the rest needs Envoy; what is missing is left out, and named.

import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BrokenPromiseError } from "../../scripts/command-line.ts";
import type { ReceivedResponse } from "../../scripts/http-request.ts";
import { projectRoot } from "../../scripts/stages.ts";
import { eventually } from "../../shared/testkit/eventually.ts";
import type { Stage, Topic } from "../topic.ts";
import { buildSchemaCheck, envoyMissing, envoyVersion } from "./envoy.ts";
import { envoyConfigFromJson } from "./envoy-config.ts";
import { EnvoyLab } from "./lab.ts";
import { PushedLab } from "./pushed-lab.ts";

const file = "stages/m4/routing.resilience.json";

export const topic: Topic = {
  title: "m4's table as Envoy's configuration, and our control plane in front of Envoy",
  engines: [],
  run,
};

/** What a step has to work with. */
interface Parts {
  readonly tell: Stage["tell"];
  readonly lab: EnvoyLab;
  readonly pushed: PushedLab;
  readonly facts: Record<string, unknown>;
}

const steps: readonly { readonly title: string; readonly run: (parts: Parts) => Promise<void> }[] = [
  { title: "Envoy routes by it", run: routeKeys },
  { title: "tier1 is stopped: its fallback serves", run: stopTier },
  { title: "visa is stopped: nobody else serves its tenant", run: stopDedicated },
  { title: "Our control plane pushes a move to a second Envoy", run: push },
];
/** The schema's comes first. */
const stepCount = steps.length + 1;

async function run({ tell, signal, stays }: Stage): Promise<Readonly<Record<string, unknown>>> {
  const version = envoyVersion();
  const facts: Record<string, unknown> = { envoy: version ?? envoyMissing };
  const indented = (line: string) => tell(`  ${line}`);
  // Before anything else runs: Go's compiler takes every core.
  tell(`1/${stepCount} Envoy's schema takes the export, and refuses a misspelt field`);
  await checkSchema(indented, facts);
  if (version === undefined) {
    tell(`\nThe other ${steps.length} steps are skipped: ${envoyMissing}`);
    return facts;
  }
  signal.throwIfAborted();
  const health = { path: "/health", intervalMs: 200, timeoutMs: 200, rise: 1, fall: 1 };
  const retries = { maxRetries: 1, baseMs: 1, capMs: 5 };
  await using lab = await EnvoyLab.start({
    placements: { visa: { health }, tier1: { health, retries, fallback: ["tier2"] } },
  });
  signal.throwIfAborted();
  await using pushed = await PushedLab.start();
  tell(`\nEnvoy ${version} runs at ${lab.url} with an exported table, and once more at ${pushed.url}`);
  tell(`with an agent, which pushes what our control plane at ${pushed.controlPlane.url} says.`);
  for (const [index, step] of steps.entries()) {
    signal.throwIfAborted();
    tell(`\n${index + 2}/${stepCount} ${step.title}`);
    await step.run({ tell: indented, lab, pushed, facts });
  }
  tell(`\nAll ${stepCount} steps as promised.`);
  if (stays) await stay(pushed, tell, signal);
  return facts;
}

async function checkSchema(tell: Stage["tell"], facts: Record<string, unknown>): Promise<void> {
  const config = envoyConfigFromJson(readFileSync(join(projectRoot, file), "utf8"));
  facts["bytes"] = JSON.stringify(config).length;
  tell(`> npx tsx graduation/xds/envoy-config.ts ${file}`);
  tell(`< ${facts["bytes"]} bytes of Envoy configuration, without the line breaks`);
  const folder = mkdtempSync(join(tmpdir(), "schema-check-"));
  // A signal that stops the compiler ends this process as well.
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const built = await buildSchemaCheck(folder);
  if (built.missing !== undefined) {
    tell(`The schema check is skipped: ${built.missing}.`);
    facts["schema"] = "skipped";
    return;
  }
  const report = built.check(config);
  if ("faults" in report)
    throw new BrokenPromiseError(`Envoy's schema refuses the export:\n${report.faults}`);
  const { version, messages, types } = report;
  tell(`< valid by the schema of ${version}: ${messages} messages of ${types.length} types`);
  const wrong = built.check({ ...config, admin: { adress: "127.0.0.1" } });
  if (!("faults" in wrong))
    throw new BrokenPromiseError("the schema check takes a field that does not exist");
  tell("> the same with admin.adress");
  tell(`< ${wrong.faults.trim()}`);
  facts["schema"] = version;
}

async function routeKeys({ tell, lab }: Parts): Promise<void> {
  for (const [key, promised] of [
    ["visa", "200 visa (dedicated)"],
    ["acme", "200 tier1 (tier)"],
    ["someone-new", "200 tier3 (default)"],
  ] as const)
    expectOf(tell, key, summaryOf(await lab.ask(key)), promised);
  tell("A matcher finds the key in a hash table; X-Routed-To is the metadata of the host that served.");
}

async function stopTier({ tell, lab }: Parts): Promise<void> {
  await lab.cell("tier1").close();
  expectOf(tell, "acme", summaryOf(await lab.ask("acme")), "200 tier2 (tier)");
  tell("An aggregate cluster holds the chain, and the retry of a failed connection goes to its next member.");
}

async function stopDedicated({ tell, lab }: Parts): Promise<void> {
  await lab.cell("visa").close();
  await eventually(async () => (await lab.ask("visa")).status === 503, { what: "visa is refused with 503" });
  expectOf(tell, "visa", String((await lab.ask("visa")).status), "503");
  tell("visa's cluster has one host and no chain, and Envoy's panic mode is off.");
}

async function push({ tell, pushed, facts }: Parts): Promise<void> {
  const startedAt = performance.now();
  const revision = await pushed.move("acme", "tier2");
  await pushed.acked(revision);
  facts["pushMs"] = Math.round(performance.now() - startedAt);
  tell("> PATCH acme: tier2");
  tell(`< revision ${revision}, acked by Envoy's agent ${facts["pushMs"]} ms later`);
  expectOf(tell, "acme", String((await pushed.ask("acme")).headers["x-cell"]), "tier2");
  tell(
    "The agent acks what Envoy has taken: clusters first, then listeners and routes, then the old clusters go.",
  );
}

/** `200 tier1 (tier)`, from the fields of a response. */
function summaryOf({ status, headers }: ReceivedResponse): string {
  return `${status} ${headers["x-routed-to"]} (${headers["x-route-reason"]})`;
}

function expectOf(tell: Stage["tell"], asked: string, got: string, promised: string): void {
  tell(`> ${asked}`);
  tell(`< ${got}`);
  if (got !== promised) throw new BrokenPromiseError(`${asked}: promised ${promised}, got ${got}`);
}

async function stay({ url, controlPlane, token }: PushedLab, tell: Stage["tell"], signal: AbortSignal) {
  tell("\nThe second Envoy and the control plane stay up until Ctrl-C. Try this:");
  tell(`  npm run ctl set acme tier3 -- --url ${controlPlane.url} --token ${token}`);
  tell(`  curl -i -H 'X-Routing-Key: acme' ${url}/`);
  tell(`  npm run ctl routers -- --url ${controlPlane.url} --token ${token}`);
  if (!signal.aborted) await once(signal, "abort");
}
