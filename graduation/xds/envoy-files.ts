// The table pushed to a running Envoy, over the simplest transport of xDS: files in a folder that Envoy watches. It shows what the
// paper says: resources of several types, an order in which they must come, a version, ACK and NACK. Files have no stream, so
// Envoy acks and nacks in its metrics and its log.
// https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#filesystem-subscriptions

import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ask } from "../../scripts/http-request.ts";
import { eventually } from "../../shared/testkit/eventually.ts";
import { clustersOf } from "./envoy-clusters.ts";
import { bootstrapOf, listenerOf, routeConfigOf, routeTableName } from "./envoy-config.ts";
import { type Fields, type RoutingTable, typed } from "./envoy-values.ts";

/** Each type of resource: its message, and the scope of its metrics in Envoy. */
const types = {
  clusters: { message: "envoy.config.cluster.v3.Cluster", metrics: "cluster_manager.cds" },
  listeners: { message: "envoy.config.listener.v3.Listener", metrics: "listener_manager.lds" },
  routes: {
    message: "envoy.config.route.v3.RouteConfiguration",
    metrics: `http.data.rds.${routeTableName}`,
  },
} as const;
type ResourceType = keyof typeof types;

/** How many clusters do not serve yet. */
const warming = "cluster_manager.warming_clusters";

/** What Envoy made of a version: our ack, or our nack with its reason. */
export type Applied =
  | { readonly ok: true }
  | { readonly ok: false; readonly refused: ResourceType; readonly reason: string };

export interface EnvoyFilesOptions {
  /** Emptied by nobody: one folder for one Envoy. */
  readonly folder: string;
  readonly port: number;
  readonly adminPort: number;
  /** Where the admin port is once Envoy runs. */
  readonly adminUrl: () => string;
  /** Envoy's last lines: the reason of a refusal stands there only. */
  readonly lastLines: () => readonly string[];
}

export class EnvoyFiles {
  readonly #options: EnvoyFilesOptions;
  #clusters: readonly Fields[] = [];

  /** @param table What Envoy starts with */
  constructor(table: RoutingTable, options: EnvoyFilesOptions) {
    this.#options = options;
    mkdirSync(options.folder, { recursive: true });
    this.#clusters = clustersOf(table);
    this.#write("clusters", "start", this.#clusters);
    this.#write("listeners", "start", [this.#listener(table)]);
    this.#write("routes", "start", [routeConfigOf(table)]);
  }

  /** Names the folder, and nothing of the table. */
  bootstrap(): Fields {
    return {
      ...bootstrapOf(this.#options.adminPort),
      dynamic_resources: { cds_config: this.#source("clusters"), lds_config: this.#source("listeners") },
    };
  }

  // #region make-before-break
  /**
   * Clusters first, then who points at them, then without the old ones. Envoy does not wait for a cluster that a route names: in
   * another order, requests go nowhere for a moment. Resolves when Envoy has taken all of it, or refused a part; what it took
   * before that part stays, which a whole snapshot cannot do.
   */
  async apply(table: RoutingTable, version: string): Promise<Applied> {
    const next = clustersOf(table);
    const names = new Set(next.map(({ name }) => name));
    const leaving = this.#clusters.filter(({ name }) => !names.has(name));
    const steps: [ResourceType, string, readonly Fields[]][] = [
      ["clusters", `${version} made`, [...next, ...leaving]],
      ["listeners", version, [this.#listener(table)]],
      ["routes", version, [routeConfigOf(table)]],
      ["clusters", version, next],
    ];
    for (const [type, step, resources] of steps) {
      const applied = await this.push(type, step, resources);
      if (!applied.ok) return applied;
      if (type === "clusters") await this.#warm();
    }
    this.#clusters = next;
    return { ok: true };
  }
  // #endregion make-before-break

  /** Writes one type's resources, and waits for Envoy's word on them. */
  async push(type: ResourceType, version: string, resources: readonly Fields[]): Promise<Applied> {
    const before = await this.#metrics(type);
    this.#write(type, version, resources);
    const word = await eventually(
      async () => {
        const now = await this.#metrics(type);
        if (now.version === version) return "ack";
        return now.refused > before.refused ? "nack" : undefined;
      },
      { what: `Envoy's word on the ${type} of ${version}`, deadlineMs: 10_000 },
    );
    if (word === "ack") return { ok: true };
    return { ok: false, refused: type, reason: reasonIn(this.#options.lastLines()) };
  }

  /** An ack says that a cluster is valid. It serves once it is warm: its name is resolved, and its first health check is over. */
  async #warm(): Promise<void> {
    const isWarm = async () => (await this.#stats(warming)).every(({ value }) => Number(value) === 0);
    // Whoever routes to a cell that says nothing for so long gets an error from it, too.
    await eventually(isWarm, { what: "clusters are warm", deadlineMs: 10_000 }).catch(() => {});
  }

  /** A move puts the new file in place: Envoy looks on a move, and never sees half of one. */
  #write(type: ResourceType, version: string, resources: readonly Fields[]): void {
    const file = this.#file(type);
    const response = {
      version_info: version,
      resources: resources.map((each) => typed(types[type].message, each)),
    };
    writeFileSync(`${file}.next`, JSON.stringify(response));
    renameSync(`${file}.next`, file);
  }

  async #metrics(type: ResourceType): Promise<{ readonly version: string; readonly refused: number }> {
    const scope = types[type].metrics;
    const stats = await this.#stats(`${scope}.(version_text|update_rejected|update_failure)`);
    const value = (name: string) => stats.find((each) => each.name === `${scope}.${name}`)?.value;
    // A file that Envoy cannot even read counts as a failure, and one that it refuses as rejected.
    const refused = Number(value("update_rejected") ?? 0) + Number(value("update_failure") ?? 0);
    return { version: String(value("version_text") ?? ""), refused };
  }

  async #stats(names: string): Promise<readonly { name?: string; value?: string | number }[]> {
    const { body } = await ask({ url: `${this.#options.adminUrl()}/stats?format=json&filter=^${names}$` });
    return (JSON.parse(body) as { stats: { name?: string; value?: string | number }[] }).stats;
  }

  #listener(table: RoutingTable): Fields {
    const rds = { route_config_name: routeTableName, config_source: this.#source("routes") };
    return listenerOf(table, this.#options.port, { rds });
  }

  #source(type: ResourceType): Fields {
    return { path_config_source: { path: this.#file(type) }, resource_api_version: "V3" };
  }

  #file(type: ResourceType): string {
    return join(this.#options.folder, `${type}.json`);
  }
}

/** What Envoy's log says of the latest refusal, without where and when. */
function reasonIn(lines: readonly string[]): string {
  const found = lines.map((line) => /config update (?:rejected|failure): (?:in \S+, )?(.*)/.exec(line)?.[1]);
  return found.findLast((reason) => reason !== undefined) ?? "its log does not say why";
}
