// How each kind of process is started: its file and its environment, stage by stage.

import { copyFileSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ProcessGroup, RunningProcess } from "./processes.ts";
import { CellMember, Member, RouterMember } from "./stack-members.ts";
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

  writeRoutingFile(cellUrls: ReadonlyMap<string, string>): string | undefined {
    if (!isAtLeast(this.#options.stage, "m2")) return undefined;
    const file = join(this.#options.stateFolder, "routing.json");
    writeFileSync(file, routingFileFor(this.#options.stageFolder, cellUrls));
    // Beside it, so that an editor completes and checks the copy as it does the original.
    const schema = "routing.schema.json";
    if (existsSync(join(this.#options.stageFolder, schema))) {
      copyFileSync(join(this.#options.stageFolder, schema), join(this.#options.stateFolder, schema));
    }
    return file;
  }

  async controlPlane(port: number): Promise<Member> {
    const launch = (at: number) =>
      this.#start("control plane", "src/control-plane/main.ts", {
        PORT: String(at),
        CONTROL_PLANE_PORT: String(at),
        ROUTING_FILE: join(this.#options.stateFolder, "routing.json"),
        STATE_DIR: this.#controlPlaneState(),
      });
    return new Member("control plane", await launch(port), launch);
  }

  async router(
    plan: RouterPlan,
    cellUrls: ReadonlyMap<string, string>,
    controlPlane: Member | undefined,
  ): Promise<RouterMember> {
    const launch = (at: number) =>
      this.#start(plan.name, "src/main.ts", {
        PORT: String(at),
        ADMIN_PORT: String(plan.adminPort),
        ...this.#routingEnv(plan, cellUrls, controlPlane),
      });
    return new RouterMember(plan.name, await launch(plan.port), launch);
  }

  #routingEnv(plan: RouterPlan, cellUrls: ReadonlyMap<string, string>, controlPlane: Member | undefined) {
    if (!isAtLeast(this.#options.stage, "m2")) {
      return { CELLS: [...cellUrls].map(([name, url]) => `${name}=${url}`).join(",") };
    }
    const file = join(this.#options.stateFolder, "routing.json");
    if (controlPlane === undefined) return { ROUTING_FILE: file };
    const stateFolder = join(this.#options.stateFolder, plan.name.replace(" ", "-"));
    return { CONTROL_PLANE_URL: controlPlane.url, STATE_DIR: stateFolder, ROUTING_FILE: file };
  }

  #controlPlaneState(): string {
    return join(this.#options.stateFolder, "control-plane");
  }

  #start(name: string, path: string, env: Record<string, string>): Promise<RunningProcess> {
    const { onLine, stageFolder } = this.#options;
    return this.#group.start({
      name,
      script: join(stageFolder, path),
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
    "CONTROL_PLANE_TOKEN",
    "STATE_DIR",
    "WORKERS",
  ].map((name) => [name, undefined]),
);
