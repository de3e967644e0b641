// What a router is told when it is started: the same variables for every stage, and for a router in any language, which
// ignores what it does not know.

export interface StageEnvironment {
  /** URL of each cell, by name: m1 has no other table. */
  readonly cells: Readonly<Record<string, string>>;
  /** From m2 on. */
  readonly routingFile: string;
  /** From m3 on. */
  readonly stateFolder: string;
}

/** Free ports of 127.0.0.1, one worker, and no control plane: it is never in the request path, so a router serves without. */
export function stageEnvironment({
  cells,
  routingFile,
  stateFolder,
}: StageEnvironment): Record<string, string> {
  return {
    HOST: "127.0.0.1",
    PORT: "0",
    ADMIN_PORT: "0",
    LOG_LEVEL: "info",
    CELLS: cellList(cells),
    ROUTING_FILE: routingFile,
    STATE_DIR: stateFolder,
    CONTROL_PLANE_URL: "off",
    WORKERS: "1",
  };
}

/** The value of `CELLS`: `visa=http://127.0.0.1:9004,tier1=…`. */
export function cellList(cells: Readonly<Record<string, string>>): string {
  return Object.entries(cells)
    .map(([name, url]) => `${name}=${url}`)
    .join(",");
}
