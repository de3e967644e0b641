// Envoy under m4's control plane: four demo cells, the control plane as a process, Envoy, and the agent between the two, on free
// ports. For the tests, the demo and the measurement.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ControlPlaneClient, type RouterView } from "../../scripts/ctl/client.ts";
import { ask, type ReceivedResponse } from "../../scripts/http-request.ts";
import { projectRoot } from "../../scripts/stages.ts";
import { type Cell, startCell } from "../../shared/cells/cell.ts";
import { placementNames } from "../../shared/testkit/cluster.ts";
import { eventually } from "../../shared/testkit/eventually.ts";
import { Program } from "../../shared/testkit/program.ts";
import { parseRoutingTable, type RoutingDocument } from "../../stages/m4/src/routing-table.ts";
import { EnvoyAgent } from "./agent.ts";
import { Envoy } from "./envoy.ts";
import { EnvoyFiles } from "./envoy-files.ts";

const token = "a-token-of-this-lab";
const routerId = "envoy";

export class PushedLab implements AsyncDisposable {
  readonly controlPlane: Program;
  readonly token = token;
  readonly envoy: Envoy;
  readonly url: string;
  readonly #ctl: ControlPlaneClient;
  readonly #agent: EnvoyAgent;
  readonly #cleanUp: AsyncDisposableStack;

  private constructor(parts: {
    controlPlane: Program;
    envoy: Envoy;
    agent: EnvoyAgent;
    cleanUp: AsyncDisposableStack;
  }) {
    this.controlPlane = parts.controlPlane;
    this.envoy = parts.envoy;
    this.#agent = parts.agent;
    this.url = parts.envoy.url;
    this.#cleanUp = parts.cleanUp;
    this.#ctl = new ControlPlaneClient(parts.controlPlane.url, [token]);
  }

  static async start(): Promise<PushedLab> {
    await using cleanUp = new AsyncDisposableStack();
    const folder = mkdtempSync(join(tmpdir(), "pushed-envoy-"));
    cleanUp.defer(() => rmSync(folder, { recursive: true, force: true }));
    const cells: Cell[] = [];
    for (const name of placementNames) cells.push(cleanUp.use(await startCell({ name })));
    const document = documentFor(cells);
    const routingFile = join(folder, "routing.json");
    writeFileSync(routingFile, JSON.stringify(document));
    const controlPlane = cleanUp.use(startControlPlane(folder, routingFile));
    await controlPlane.ready();
    const parsed = parseRoutingTable(document);
    if (!parsed.ok) throw new Error(parsed.faults.join("\n"));
    let running: Envoy | undefined;
    const files = new EnvoyFiles(parsed.table, {
      folder: join(folder, "xds"),
      port: 0,
      adminPort: 0,
      adminUrl: () => running?.adminUrl ?? "",
      lastLines: () => running?.program.lastLines() ?? [],
    });
    const envoy = cleanUp.use(await Envoy.start(files.bootstrap()));
    running = envoy;
    const controlPlaneUrl = `${controlPlane.url.replace("http", "ws")}/v1/connect`;
    const agent = cleanUp.use(new EnvoyAgent({ controlPlaneUrl, token, routerId, files }));
    agent.start();
    const lab = new PushedLab({ controlPlane, envoy, agent, cleanUp: cleanUp.move() });
    await lab.acked(1);
    return lab;
  }

  ask(key: string): Promise<ReceivedResponse> {
    return ask({ url: this.url, headers: { "X-Routing-Key": key } });
  }

  /** Resolves with the new revision. */
  async move(key: string, placement: string): Promise<number> {
    const { etag } = await this.#ctl.key(key);
    return (await this.#ctl.patchKey(key, placement, etag)).revision;
  }

  /** Replaces the table. Resolves with the new revision. */
  async put(
    change: (placements: RoutingDocument["placements"]) => RoutingDocument["placements"],
    routingTable: Readonly<Record<string, string>>,
    keyLimits: RoutingDocument["keyLimits"] = {},
  ): Promise<number> {
    const { table, etag } = await this.#ctl.table();
    const document = table as unknown as RoutingDocument;
    const next = { ...document, placements: change(document.placements), routingTable, keyLimits };
    return (await this.#ctl.put(next, etag)).revision;
  }

  /** What the control plane knows of Envoy. */
  async router(): Promise<RouterView | undefined> {
    return (await this.#ctl.fleet()).routers.find(({ id }) => id === routerId);
  }

  async acked(revision: number): Promise<void> {
    const hasAcked = async () => ((await this.router())?.revision ?? 0) >= revision;
    const waited = eventually(hasAcked, { what: `an ack of revision ${revision}`, deadlineMs: 30_000 });
    await waited.catch((cause) => {
      throw new Error(`No ack of revision ${revision}: ${JSON.stringify(this.#agent.status())}`, { cause });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanUp.disposeAsync();
  }
}

function documentFor(cells: readonly Cell[]): RoutingDocument {
  const placements = cells.map(({ name, url }) => [
    name,
    { kind: name === "visa" ? "dedicated" : "tier", url },
  ]);
  return {
    version: "1.0.0",
    defaultPlacement: "tier3",
    routingTable: { visa: "visa", acme: "tier1", globex: "tier2", initech: "tier3" },
    placements: Object.fromEntries(placements),
  };
}

function startControlPlane(folder: string, routingFile: string): Program {
  return new Program({
    name: "the control plane",
    command: process.execPath,
    args: [
      ...["--import", new URL("../../scripts/exit-with-parent.ts", import.meta.url).href],
      join(projectRoot, "stages/m4/src/control-plane/main.ts"),
    ],
    lifeline: true,
    env: {
      EXIT_WITH_PARENT: String(process.pid),
      CONTROL_PLANE_PORT: "0",
      CONTROL_PLANE_TOKEN: token,
      ROUTING_FILE: routingFile,
      STATE_DIR: folder,
    },
  });
}
