// Loads the router's end of the stage that the fleet bench is about, and no other stage's modules.
import type { FleetStage, RouterEnd } from "./router-end.ts";

export async function loadRouterEnd(stage: FleetStage): Promise<RouterEnd> {
  if (stage === "m5") return (await import("./router-end-m5.ts")).routerEnd;
  return (await import("./router-end-m3.ts")).routerEnd;
}
