// How each kind of process is started: its file and its environment, stage by stage.

import { copyFileSync, existsSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { cellList } from "../shared/testkit/stage-environment.ts";
import { portedEnv } from "./ported-routers.ts";
import type { ProcessGroup, Program } from "./processes.ts";
import { CellMember, ControlPlaneMember, type Member, RouterMember } from "./stack-members.ts";
import { type RouterPlan, routingFileFor, type StackOptions } from "./stack-plan.ts";
import { isAtLeast, projectRoot } from "./stages.ts";

/** Knows the environment of each kind of process. */
export class Launcher {
  readonly #options: StackOptions;
  readonly #group: ProcessGroup;

  constructor(options: StackOptions, group: ProcessGroup) {
    this.#options = options;
    this.#group = group;
  }

  async cell(name: string, port: number): Promise<CellMember> {
    const script = join(projectRoot, "shared/cells/main.ts");
    const launch = (at: number) =>
      this.#group.start({
        name: `cell ${name}`,
        script,
        env: { NAME: name, HOST: "127.0.0.1", PORT: String(at) },
      });
    return new CellMember(`cell ${name}`, await launch(port), launch);
  }

  /** Writes the routing file of this stack's cells, and from m3 on the one that routers start from. */
  writeRoutingFile(cellUrls: ReadonlyMap<string, string>): string | undefined {
    const { stage, stageFolder, stateFolder } = this.#options;
    if (!isAtLeast(stage, "m2")) return undefined;
    const file = join(stateFolder, "routing.json");
    writeFileSync(file, routingFileFor(stageFolder, cellUrls));
    // A file of its own: what routers learn after the start, they learn from the control plane.
    if (isAtLeast(stage, "m3")) copyFileSync(file, this.#bootstrapFile());
    // Beside it, so that an editor completes and checks the copy as it does the original.
    const schema = "routing.schema.json";
    if (existsSync(join(stageFolder, schema))) {
      copyFileSync(join(stageFolder, schema), join(stateFolder, schema));
    }
    return file;
  }

  async controlPlane(port: number): Promise<ControlPlaneMember> {
    const launch = (at: number) =>
      this.#start("control plane", "src/control-plane/main.ts", {
        CONTROL_PLANE_PORT: String(at),
        ROUTING_FILE: join(this.#options.stateFolder, "routing.json"),
        STATE_DIR: join(this.#options.stateFolder, "control-plane"),
        CONTROL_PLANE_TOKEN_FILE: this.#tokenFile(),
      });
    return new ControlPlaneMember("control plane", await launch(port), launch);
  }

  async router(
    plan: RouterPlan,
    cellUrls: ReadonlyMap<string, string>,
    controlPlane: Member | undefined,
  ): Promise<RouterMember> {
    let { adminPort } = plan;
    const launch = (at: number) =>
      this.#startRouter(plan.name, {
        PORT: String(at),
        ADMIN_PORT: String(adminPort),
        ...this.#routingEnv(plan, cellUrls, controlPlane),
      });
    const router = new RouterMember(plan.name, await launch(plan.port), launch);
    // A port that the system picked is kept over a restart, as the one for clients is.
    if (isAtLeast(this.#options.stage, "m2")) adminPort = Number(new URL(router.adminUrl).port);
    return router;
  }

  #routingEnv(plan: RouterPlan, cellUrls: ReadonlyMap<string, string>, controlPlane: Member | undefined) {
    if (!isAtLeast(this.#options.stage, "m2")) {
      return { CELLS: cellList(Object.fromEntries(cellUrls)) };
    }
    const { ported, stage, stateFolder } = this.#options;
    // The control plane's store is that file: a router that only follows files hears of each push there.
    const followsFile = controlPlane === undefined || ported?.router.followsFile.includes(stage) === true;
    if (followsFile) return { ROUTING_FILE: join(stateFolder, "routing.json"), CONTROL_PLANE_URL: "off" };
    const routerId = plan.name.replace(" ", "-");
    return {
      CONTROL_PLANE_URL: controlPlane.url,
      CONTROL_PLANE_TOKEN_FILE: this.#tokenFile(),
      ROUTER_ID: routerId,
      STATE_DIR: join(this.#options.stateFolder, routerId),
      ROUTING_FILE: this.#bootstrapFile(),
    };
  }

  #tokenFile(): string {
    return join(this.#options.stateFolder, "control-plane-token");
  }

  #bootstrapFile(): string {
    return join(this.#options.stateFolder, "bootstrap.json");
  }

  #startRouter(name: string, env: Record<string, string>): Promise<Program> {
    const { ported, stage } = this.#options;
    if (ported === undefined) return this.#start(name, "src/main.ts", env);
    const { program, router, runs = "program" } = ported;
    return this.#start(name, program, { ...portedEnv(router, stage), ...env }, runs);
  }

  /** @param path Relative to the stage's folder, or absolute. */
  #start(
    name: string,
    path: string,
    env: Record<string, string>,
    runs: "node" | "program" = "node",
  ): Promise<Program> {
    const { onLine, stageFolder } = this.#options;
    return this.#group.start({
      name,
      script: resolve(stageFolder, path),
      runs,
      env: { ...unsetStageVariables, HOST: "127.0.0.1", ...env },
      ...(onLine && { onLine: (line, stream) => onLine(name, line, stream) }),
    });
  }
}

/** A variable that the caller's shell happens to have must not change what a demo shows. */
const unsetStageVariables = Object.fromEntries(
  [
    "CELLS",
    "ROUTING_FILE",
    "ADMIN_PORT",
    "CONTROL_PLANE_URL",
    "CONTROL_PLANE_PORT",
    "CONTROL_PLANE_TOKEN",
    "CONTROL_PLANE_TOKEN_FILE",
    "ROUTER_ID",
    "STATE_DIR",
    "WORKERS",
    "STAGE",
    "FRONT",
    "THREADS",
  ].map((name) => [name, undefined]),
);
